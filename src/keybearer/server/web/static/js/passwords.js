// The eye next to a password field, and an estimate of a new password's strength during typing. The server decides.
import { retitle } from "./tooltips.js";

const LEAST = 8;
const WORDS = ["", "Easy to guess", "Weak", "Good", "Strong"];
const OFTEN = /^(password|passwort|qwert[yz]|azerty|asdf|letmein|welcome|admin|iloveyou|dragon|monkey|zulip|keybearer|abc|123)/i;

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

document.addEventListener("input", (event) => {
  if (!event.target.matches("[data-measured]")) return;
  const place = document.getElementById(`${event.target.id}-strength`);
  const length = [...event.target.value].length;
  const level = length < LEAST ? 0 : strength(event.target);
  place.hidden = length === 0;
  place.querySelector("meter").value = level;
  const missing = LEAST - length;
  const words = missing > 0 ? `${missing} more character${missing === 1 ? "" : "s"}` : WORDS[level];
  const status = place.querySelector("[role=status]");
  if (status.textContent !== words) status.textContent = words;
});

/** From 1 to 4, without counting repetitions, sequences and what everybody knows about the password's owner. */
function strength(field) {
  const known = [...field.form.querySelectorAll("input[type=email], [autocomplete=name], [autocomplete=organization]")]
    .flatMap((other) => other.value.toLowerCase().split(/[\s@.]+/))
    .filter((word) => word.length > 2);
  let text = field.value.toLowerCase();
  for (const word of known) text = text.replaceAll(word, "");
  text = text.replace(OFTEN, "");
  const steps = [...text].filter((sign, index, all) => index === 0 || Math.abs(sign.codePointAt(0) - all[index - 1].codePointAt(0)) > 1);
  const kinds = [/[a-z]/, /[A-Z]/, /[0-9]/, /[^A-Za-z0-9]/].filter((kind) => kind.test(field.value)).length;
  const worth = Math.min(steps.length, 2 * new Set(steps).size) + 2 * (kinds - 1);
  return worth < 8 ? 1 : worth < 11 ? 2 : worth < 16 ? 3 : 4;
}
