// Tooltips: the text of `title`, shown for the mouse and the keyboard, and hidden with Esc.
const tip = document.createElement("div");
tip.className = "tooltip";
tip.popover = "manual";
tip.setAttribute("aria-hidden", "true"); // The element's own name says the same.

let owner = null;

function takeOver(element) {
  if (element.title) {
    element.dataset.tooltip = element.title;
    element.removeAttribute("title");
  }
}

function show(element) {
  takeOver(element);
  owner = element;
  const layer = element.closest("dialog") ?? document.body;
  layer.append(tip);
  tip.textContent = element.dataset.tooltip;
  tip.showPopover();
  place(element);
}

function place(element) {
  const around = element.getBoundingClientRect();
  const { width, height } = tip.getBoundingClientRect();
  const above = around.top - height - 6;
  const left = around.left + around.width / 2 - width / 2;
  tip.style.top = `${above > 4 ? above : around.bottom + 6}px`;
  tip.style.left = `${Math.max(4, Math.min(left, document.documentElement.clientWidth - width - 4))}px`;
}

function hide() {
  owner = null;
  if (tip.isConnected && tip.matches(":popover-open")) tip.hidePopover();
  tip.remove();
}

/** Give an element another tooltip and name, and show it at once if its tooltip is visible. */
export function retitle(element, text) {
  element.setAttribute("aria-label", text);
  element.removeAttribute("title");
  element.dataset.tooltip = text;
  if (owner === element) {
    tip.textContent = text;
    place(element);
  }
}

function candidate(event) {
  return event.target.closest?.(".icon-button[title], .icon-button[data-tooltip]");
}

document.addEventListener("pointerover", (event) => {
  const element = candidate(event);
  if (element && event.pointerType !== "touch") show(element);
});
document.addEventListener("pointerout", (event) => {
  if (owner && !owner.contains(event.relatedTarget)) hide();
});
document.addEventListener("focusin", (event) => {
  const element = candidate(event);
  if (element?.matches(":focus-visible")) show(element);
});
document.addEventListener("focusout", hide);
document.addEventListener("scroll", hide, true);
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !owner) return;
  hide();
}, true);
