// Copy icons: they copy exactly the text of their target to the clipboard, and show a tick for a second.
import { announce } from "./pages.js";
import { retitle } from "./tooltips.js";

const SHOWN = 1200;

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const text = document.getElementById(button.dataset.copy).textContent;
  const label = button.dataset.label ?? button.getAttribute("aria-label");
  button.dataset.label = label;
  const done = await copy(text);
  const said = done ? "Copied!" : "Please select the text and copy it yourself";
  button.classList.toggle("is-copied", done);
  retitle(button, said);
  announce(said);
  clearTimeout(Number(button.dataset.timer));
  button.dataset.timer = setTimeout(() => {
    button.classList.remove("is-copied");
    retitle(button, label);
  }, SHOWN);
});

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

// Over plain http, scripts cannot use the clipboard API; the old way still works there.
function copyBySelection(text) {
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "visually-hidden";
  const layer = [...document.querySelectorAll("dialog[open]")].at(-1) ?? document.body;
  const focused = document.activeElement;
  layer.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  focused?.focus();
  return done;
}
