// Pages and parts of pages from the server: fetched, put in place, announced.
import { localise } from "./times.js";
import { prepare } from "./fields.js";

/** Ask for a fragment. `kind` is "dialog", or "middle" for the middle of a page. */
export async function ask(url, kind, options = {}) {
  const response = await fetch(url, {
    ...options,
    headers: { ...options.headers, "X-Fragment": kind },
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

/** Put a fragment into an element and wake it up. */
export function fill(element, html) {
  element.innerHTML = html;
  localise(element);
  prepare(element);
}

let silence;

/** Say something to people who listen to the page; it is not left lying about for them to find again. */
export function announce(text) {
  const status = document.getElementById("status");
  status.textContent = text;
  clearTimeout(silence);
  silence = setTimeout(() => { status.textContent = ""; }, 1500);
}

/** What finds an element again after its surroundings were renewed. */
export function counterpart(element) {
  if (element.id) return `#${CSS.escape(element.id)}`;
  const href = element.getAttribute("href");
  return href ? `a[href="${CSS.escape(href)}"]` : "main";
}

/** Show the page at `path`: renew the middle where it is this very page, else go there. */
export async function show(path) {
  const wanted = new URL(path, window.location.href);
  const here = document.querySelector("main.content");
  if (wanted.pathname !== window.location.pathname || here === null) {
    window.location.assign(path);
    return;
  }
  const answer = await ask(window.location.href, "middle");
  if (answer.location !== null) {
    window.location.assign(answer.location);
    return;
  }
  const focused = here.contains(document.activeElement) ? counterpart(document.activeElement) : null;
  fill(here, answer.html);
  if (focused) (here.querySelector(focused) ?? here).focus();
  const notice = here.querySelector(".alert-success");
  if (notice) announce(notice.textContent.trim());
}
