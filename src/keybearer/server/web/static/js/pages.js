// Pages from the server, whole or for a dialog: fetched, put in place, announced.
import { localise } from "./times.js";
import { prepare } from "./fields.js";

/** Ask for a page, for a "dialog" or as a whole "page". `location` is where the answer redirects to, if it does. */
export async function ask(url, what, options = {}) {
  const response = await fetch(url, {
    ...options,
    headers: { ...options.headers, "X-Asked-For": what },
    credentials: "same-origin",
    cache: "no-store",
  });
  const location = response.headers.get("X-Location");
  if (response.status === 401) {
    window.location.assign(location ?? "/login/");
    return new Promise(() => {});
  }
  return { status: response.status, location, html: location === null ? await response.text() : "" };
}

/** A page's text as a document; nothing in it runs or loads. */
export function parse(html) {
  return new DOMParser().parseFromString(html, "text/html");
}

/** Put HTML into an element and start its scripts. */
export function fill(element, html) {
  element.innerHTML = html;
  localise(element);
  prepare(element);
}

let silence;

/** Announce something to people who use a screen reader. It is removed afterwards, so that they do not find it again. */
export function announce(text) {
  const status = document.getElementById("status");
  status.textContent = text;
  clearTimeout(silence);
  silence = setTimeout(() => { status.textContent = ""; }, 1500);
}

/** A selector that finds an element again after its surroundings were renewed. */
export function counterpart(element) {
  if (element.id) return `#${CSS.escape(element.id)}`;
  const href = element.getAttribute("href");
  return href ? `a[href="${CSS.escape(href)}"]` : "main";
}

/** Show the page at `path`: renew this page if it is the same, else go there. */
export async function show(path) {
  const wanted = new URL(path, window.location.href);
  const here = document.querySelector("main.content");
  if (wanted.pathname !== window.location.pathname || here === null) {
    window.location.assign(path);
    return;
  }
  const answer = await ask(window.location.href, "page");
  if (answer.location !== null) {
    window.location.assign(answer.location);
    return;
  }
  const focused = here.contains(document.activeElement) ? counterpart(document.activeElement) : null;
  take(parse(answer.html));
  if (focused) (here.querySelector(focused) ?? here).focus();
  const notice = here.querySelector(".alert-success");
  if (notice) announce(notice.textContent.trim());
}

/** Replace the parts of this page with those of a whole page. Returns whether it has the frame of this page. */
export function take(page) {
  const main = page.querySelector("main.content");
  if (main === null) return false;
  document.querySelector("main.content").className = main.className; // as wide as its kind of page
  if (page.documentElement.dataset.theme) document.documentElement.dataset.theme = page.documentElement.dataset.theme;
  else delete document.documentElement.dataset.theme;
  for (const part of ["main.content", ".topbar", ".sidebar", ".menu nav"]) {
    const old = document.querySelector(part);
    const fresh = page.querySelector(part);
    if (old && fresh) fill(old, fresh.innerHTML);
  }
  return true;
}

/** The text of a page without the frame: its heading and its first sentence. */
export function message(page) {
  return [...page.querySelectorAll("main h1, main .failure p, main h1 ~ p:not(.actions)")].map((part) => part.textContent.trim()).join(". ");
}
