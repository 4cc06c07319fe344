// Links marked data-dialog open in a dialog. What it showed, including keys, is removed from the page when it closes.
import { ask, counterpart, fill, show } from "./pages.js";

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-dialog]");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey && event.button === 0) {
    event.preventDefault();
    open(link);
    return;
  }
  const closer = event.target.closest("[data-close]");
  const dialog = closer?.closest("dialog");
  if (dialog) {
    event.preventDefault();
    dialog.close();
  }
});

async function open(link) {
  if (link.getAttribute("aria-busy") === "true") return;
  link.setAttribute("aria-busy", "true");
  try {
    const answer = await ask(link.href, "dialog");
    if (answer.location !== null) window.location.assign(answer.location);
    else present(answer.html, link);
  } catch {
    window.location.assign(link.href);
  } finally {
    link.removeAttribute("aria-busy");
  }
}

function present(html, opener) {
  const dialog = document.createElement("dialog");
  dialog.className = `dialog ${opener.dataset.dialog}`;
  dialog.addEventListener("close", async () => {
    dialog.remove();
    if (changed && !document.querySelector("dialog")) {
      changed = false;
      await show(window.location.href);
    }
    restoreFocus(opener);
  });
  let pressedOn = null;
  dialog.addEventListener("pointerdown", (event) => { pressedOn = event.target; });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog && pressedOn === dialog) dialog.close();
  });
  document.body.append(dialog);
  refill(dialog, html);
  dialog.showModal();
  focusFirst(dialog);
}

let changed = false;

/** The page below shows what a dialog did: renew it when the last dialog closes. */
export function noteChange() {
  changed = true;
}

/** Show something else in an open dialog. */
export function refill(dialog, html) {
  fill(dialog, html);
  const heading = dialog.querySelector("h2");
  heading.id = `dialog-heading-${document.querySelectorAll("dialog").length}`;
  dialog.setAttribute("aria-labelledby", heading.id);
  if (dialog.open) focusFirst(dialog);
}

/** Where the keyboard focus goes: the first thing that the page asks for, else the heading, so that nothing is skipped. */
export function focusFirst(dialog) {
  const wanted = dialog.querySelector("[data-focus], [autofocus], [aria-invalid=true]");
  if (wanted) {
    wanted.focus();
    return;
  }
  const heading = dialog.querySelector("h2");
  heading.tabIndex = -1;
  heading.focus();
}

function restoreFocus(opener) {
  if (opener.isConnected) {
    opener.focus();
    return;
  }
  if (document.activeElement !== document.body) return; // The result has the focus already.
  // The page was renewed in the meantime: it has the same link again, or the link's target no longer exists.
  (document.querySelector(counterpart(opener)) ?? document.getElementById("content")).focus();
}

// A page that the browser keeps for "Back" must not keep a key.
window.addEventListener("pagehide", () => {
  for (const dialog of document.querySelectorAll("dialog")) dialog.remove();
  for (const key of document.querySelectorAll(".key, .zuliprc, .secret-link")) key.textContent = "";
  for (const field of document.querySelectorAll("[data-key]")) field.value = "";
});
