// The page of messages: it follows what happens, and sends forms without leaving the page. Everything that is shown is
// sent by the server as a page, and put in place part by part.
import { announce, ask, fill, parse } from "./pages.js";
import { localise } from "./times.js";
import { refill } from "./dialogs.js";
import { NO_ANSWER, complain } from "./forms.js";
import { follow } from "./events.js";
import "./attachments.js";

const AGAIN_AFTER = 5000; // Milliseconds until a renewal that failed is tried again.
const NEAR = 160; // Within this many pixels from the end of the page, somebody still reads the newest messages.
const conversation = document.querySelector("[data-live-messages]");

/** Renew what the page shows: the places, and those messages that are new, changed or gone. */
async function renew() {
  const answer = await ask(window.location.href, "page");
  if (answer.status >= 500) {
    window.setTimeout(renewSoon, AGAIN_AFTER); // Loading the whole page would lose what somebody is writing.
    return;
  }
  if (answer.location !== null || answer.status >= 400) {
    window.location.reload();
    return;
  }
  const page = parse(answer.html);
  for (const name of ["places", "menu"]) replace(page, name);
  const wasAtEnd = isAtEnd();
  const known = new Set([...document.querySelectorAll(".message")].map((message) => message.id));
  if (renewList(page.getElementById("message-list"))) replace(page, "older");
  else replace(page, "messages");
  const added = [...document.querySelectorAll(".message")].filter((message) => !known.has(message.id));
  if (added.length > 0) {
    if (wasAtEnd && conversation.dataset.followsNewest === "yes") toEnd();
    announce(added.length === 1 ? `New message from ${added[0].dataset.sender}` : `${added.length} new messages`);
  }
}

let renewing = null;
let again = false;

/** One renewal at a time, and one more after it for all requests in the meantime. */
function renewSoon() {
  if (renewing) {
    again = true;
    return renewing;
  }
  renewing = renew().catch(() => {}).finally(() => {
    renewing = null;
    if (again) {
      again = false;
      renewSoon();
    }
  });
  return renewing;
}

function replace(page, name) {
  const old = document.querySelector(`[data-part="${name}"]`);
  const fresh = page.querySelector(`[data-part="${name}"]`);
  if (!old || !fresh || old.innerHTML === fresh.innerHTML) return;
  const focused = old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  fill(old, fresh.innerHTML);
  if (focused) old.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
}

/** Bring the list to the state of a fresh one; a message that looks the same keeps its place, its focus and what is open. */
function renewList(fresh) {
  const list = document.getElementById("message-list");
  if (!list || !fresh) return false;
  const wanted = new Set([...fresh.children].map((message) => message.id));
  for (const old of [...list.children]) if (!wanted.has(old.id)) old.remove();
  let before = null;
  for (const message of [...fresh.children]) {
    const old = document.getElementById(message.id);
    const place = before ? before.nextSibling : list.firstChild;
    if (!old) {
      list.insertBefore(message, place);
      localise(message);
    } else if (old.dataset.version !== message.dataset.version) {
      const hadFocus = old.contains(document.activeElement);
      old.replaceWith(message);
      localise(message);
      if (hadFocus) message.querySelector("summary, button, a")?.focus();
    }
    before = document.getElementById(message.id);
  }
  return true;
}

function isAtEnd() {
  const root = document.documentElement;
  return root.scrollHeight - root.clientHeight - window.scrollY < NEAR;
}

function toEnd() {
  // If everything is visible, the head of the page stays visible too.
  if (conversation.getBoundingClientRect().bottom <= document.documentElement.clientHeight) return;
  window.scrollTo(0, document.documentElement.scrollHeight);
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-message-form]")) return;
  event.preventDefault();
  send(form, event.submitter);
});

async function send(form, submitter) {
  if (form.getAttribute("aria-busy") === "true") return;
  form.setAttribute("aria-busy", "true");
  submitter?.setAttribute("aria-busy", "true");
  form.querySelector(":scope > .alert")?.remove();
  const dialog = form.closest("dialog");
  try {
    const sent = form.querySelector("textarea")?.value ?? "";
    const body = new URLSearchParams(new FormData(form, submitter));
    const answer = await ask(form.action, dialog ? "dialog" : "page", { method: "POST", body });
    if (answer.status >= 400) refused(form, dialog, answer.html);
    else await done(form, dialog, answer.location, sent);
  } catch {
    complain(form, NO_ANSWER);
  } finally {
    form.removeAttribute("aria-busy");
    submitter?.removeAttribute("aria-busy");
  }
}

async function done(form, dialog, location, sent) {
  const kind = form.dataset.messageForm;
  const place = new URL(location, window.location.href);
  const isElsewhere = place.search !== window.location.search;
  if ((kind === "compose" || kind === "new") && isElsewhere) {
    window.location.assign(place);
    return;
  }
  dialog?.close();
  if (kind === "compose") {
    const field = form.querySelector("textarea");
    field.value = field.value.startsWith(sent) ? field.value.slice(sent.length) : field.value; // typed in the meantime
    field.focus();
  }
  for (const open of document.querySelectorAll("details.react[open]")) open.open = false;
  await renewSoon();
  if (kind === "compose" || kind === "new") toEnd();
}

function refused(form, dialog, html) {
  if (dialog) {
    refill(dialog, html);
    return;
  }
  const page = parse(html);
  const alert = page.querySelector(".compose .alert p, .failure p");
  complain(form, alert ? alert.textContent.trim() : NO_ANSWER);
}

// Ctrl + Enter sends from every text field for messages. Esc closes the emoji of a message.
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.matches?.("[data-message-form] textarea")) {
    event.preventDefault();
    event.target.form.requestSubmit();
  }
  const open = event.key === "Escape" ? event.target.closest?.("details.react[open]") : null;
  if (open) {
    open.open = false;
    open.querySelector("summary").focus();
  }
});
document.addEventListener("toggle", (event) => {
  if (event.target.matches("details.react[open]")) event.target.lastElementChild.scrollIntoView({ block: "nearest" });
}, true);
document.addEventListener("click", (event) => {
  for (const open of document.querySelectorAll("details.react[open]")) if (!open.contains(event.target)) open.open = false;
});

if (conversation) {
  const state = document.getElementById("live-state");
  if (conversation.dataset.followsNewest === "yes" && !window.location.hash) toEnd();
  follow(renewSoon, (isLive) => {
    const words = isLive ? "Live" : "The connection is lost. Trying again…";
    if (state.textContent !== words) state.textContent = words;
    state.classList.toggle("is-live", isLive);
  });
}
