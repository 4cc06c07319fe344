// Moments as the reader sees them: how long ago, with the exact moment on hover; in a log, by day.
const pick = (options) => new Intl.DateTimeFormat(undefined, options);
const exact = pick({ dateStyle: "full", timeStyle: "long" });
const clock = pick({ timeStyle: "short" });
const minute = pick({ dateStyle: "full", timeStyle: "short" });
const words = new Intl.RelativeTimeFormat("en");
const weekday = new Intl.DateTimeFormat("en-GB", { dateStyle: "full" });
const SHOWN = { clock: (moment) => clock.format(moment), exact: (moment) => minute.format(moment) };
const UNITS = [["year", 31_536_000], ["month", 2_592_000], ["day", 86_400], ["hour", 3600], ["minute", 60]];

/** Show every moment below an element as the reader sees it. */
export function localise(root) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(element.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    element.textContent = (SHOWN[element.dataset.shows] ?? relative)(moment);
    element.title = exact.format(moment);
  }
  for (const log of root.querySelectorAll(".log")) headDays(log);
}

function relative(moment) {
  const seconds = (moment - Date.now()) / 1000;
  const found = UNITS.find(([, length]) => Math.abs(seconds) >= length);
  return found ? words.format(Math.trunc(seconds / found[1]), found[0]) : "just now";
}

/** The server adds headings for days in UTC: move them to where the reader's own days begin. */
function headDays(log) {
  for (const old of log.querySelectorAll(".log-day")) old.remove();
  let above = "";
  for (const entry of [...log.children]) {
    const day = dayOf(new Date(entry.querySelector("time").dateTime));
    if (day !== above) {
      const heading = Object.assign(document.createElement("li"), { className: "log-day" });
      heading.append(Object.assign(document.createElement("h2"), { textContent: day }));
      entry.before(heading);
    }
    above = day;
  }
}

function dayOf(moment) {
  const today = new Date();
  const yesterday = new Date(today.getFullYear(), today.getMonth(), today.getDate() - 1);
  if (moment.toDateString() === today.toDateString()) return "Today";
  return moment.toDateString() === yesterday.toDateString() ? "Yesterday" : weekday.format(moment);
}

setInterval(() => localise(document), 60_000);
