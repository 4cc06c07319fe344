// Moments in the reader's own zone and language; the exact moment stays in the tooltip.
const short = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const long = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

/** Put every moment below an element into the reader's own terms. */
export function localise(root) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(element.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    element.textContent = short.format(moment);
    element.title = long.format(moment);
  }
}
