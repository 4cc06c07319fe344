// The eye beside a password field.
import { retitle } from "./tooltips.js";

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-reveal-password]");
  if (!button) return;
  const field = document.getElementById(button.dataset.revealPassword);
  const shown = field.type === "password";
  field.type = shown ? "text" : "password";
  button.setAttribute("aria-pressed", String(shown));
  retitle(button, shown ? "Hide password" : "Show password");
  button.setAttribute("aria-label", "Show password");
});
