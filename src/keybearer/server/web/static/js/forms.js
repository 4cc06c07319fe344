// Forms marked data-inline are sent by script: the answer is shown in their dialog, or a part of the page is renewed.
// Forms marked data-live show their results during typing.
import { announce, ask, fill, message, parse, show, take } from "./pages.js";
import { noteChange, refill } from "./dialogs.js";

const TYPING_PAUSE = 180;
export const NO_ANSWER = "The server did not answer. Please check your connection and try again.";

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.matches("[data-inline]")) {
    event.preventDefault();
    send(form, event.submitter);
  } else if (form.matches("[data-live]")) {
    event.preventDefault();
    renew(new URL(`?${new URLSearchParams(new FormData(form))}`, window.location.href));
  }
});

async function send(form, submitter) {
  if (form.getAttribute("aria-busy") === "true") return;
  form.setAttribute("aria-busy", "true");
  submitter?.setAttribute("aria-busy", "true");
  const dialog = form.closest("dialog");
  const body = new URLSearchParams(new FormData(form));
  try {
    await put(await ask(form.action, dialog ? "dialog" : "page", { method: "POST", body }), form, dialog);
  } catch {
    complain(form, NO_ANSWER);
  } finally {
    form.removeAttribute("aria-busy");
    submitter?.removeAttribute("aria-busy");
  }
}

async function put(answer, form, dialog) {
  const target = form.dataset.swap ? document.querySelector(form.dataset.swap) : null;
  // An answer that is shown in the page itself renews it: requesting the page again would hide a new key.
  const renewsPage = target !== null && target.closest("dialog") === null;
  const isShownHere = answer.status < 400 && answer.location === null;
  if (isShownHere && "changes" in form.dataset && !renewsPage) noteChange();
  if (answer.location !== null) {
    for (const open of document.querySelectorAll("dialog")) open.close();
    await show(answer.location);
  } else if (answer.status >= 400 || target === null) {
    const page = parse(answer.html);
    if (dialog) refill(dialog, answer.html);
    else if (take(page)) focusAnew();
    else complain(form, message(page));
  } else {
    swap(answer.html, form, dialog, target);
    if (form.dataset.thenCopy) target.querySelector(`[data-copy="${form.dataset.thenCopy}"]`)?.click();
  }
}

/** Put the answer where the form says, in the layer below the form's own dialog, which is done. */
function swap(html, form, dialog, target) {
  const losesFocus = target.contains(document.activeElement);
  const inner = parse(html).querySelector(form.dataset.swap);
  fill(target, inner ? inner.innerHTML : html);
  if (dialog && !dialog.contains(target)) dialog.close();
  const told = target.querySelector("[role=status]") ?? (losesFocus ? target : null);
  if (told) {
    told.tabIndex = -1;
    told.focus();
  }
}

/** The keyboard focus continues where the renewed page asks for something, else at its beginning. */
function focusAnew() {
  const main = document.querySelector("main.content");
  if (main.contains(document.activeElement)) return;
  (main.querySelector("[aria-invalid=true], [autofocus]") ?? main).focus();
}

/** Show in a form what went wrong. */
export function complain(form, text) {
  form.querySelector(".alert-failed")?.remove();
  const alert = document.createElement("div");
  alert.className = "alert alert-danger alert-failed";
  alert.setAttribute("role", "alert");
  alert.append(Object.assign(document.createElement("p"), { textContent: text }));
  form.prepend(alert);
}

let pause;
document.addEventListener("input", (event) => {
  const form = event.target.form;
  if (!form?.matches("[data-live]")) return;
  clearTimeout(pause);
  pause = setTimeout(() => form.requestSubmit(), event.target.type === "search" ? TYPING_PAUSE : 0);
});

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-live-link]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  renew(new URL(link.href), link.textContent.trim());
});

let latest = 0;
async function renew(url, focusLabel) {
  latest += 1;
  const mine = latest;
  const form = document.querySelector("form[data-live]");
  let answer;
  try {
    answer = await ask(url, "page");
  } catch {
    complain(form, NO_ANSWER);
    return;
  }
  if (mine !== latest) return;
  form.querySelector(".alert-failed")?.remove();
  if (answer.location !== null || answer.status >= 400) {
    window.location.assign(url);
    return;
  }
  const page = parse(answer.html);
  for (const fresh of page.querySelectorAll("[data-region]")) {
    fill(document.querySelector(`[data-region="${fresh.dataset.region}"]`), fresh.innerHTML);
  }
  for (const hidden of page.querySelectorAll("[data-live] input[type=hidden]")) {
    const old = document.querySelector(`[data-live] input[name="${hidden.name}"]`);
    if (old) old.value = hidden.value;
  }
  window.history.replaceState(null, "", url);
  const rows = document.querySelectorAll("[data-region] tbody tr, [data-region] .log > li:not(.log-day)").length;
  announce(rows === 1 ? "1 result" : `${rows} results`);
  if (focusLabel) {
    [...document.querySelectorAll("a[data-live-link]")].find((link) => link.textContent.trim() === focusLabel)?.focus();
  }
}
