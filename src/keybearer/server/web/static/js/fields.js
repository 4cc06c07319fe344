// Fields that belong to only one choice are shown with it. Without this script they are always visible.

/** Handle the choices below an element. */
export function prepare(root) {
  for (const choice of root.querySelectorAll("select[data-shows]")) {
    update(choice);
    choice.addEventListener("change", () => update(choice));
  }
}

function update(choice) {
  for (const part of choice.form.querySelectorAll("[data-shown-for]")) {
    const wanted = part.dataset.shownFor;
    const shown = wanted.endsWith(":") ? choice.value.startsWith(wanted) : choice.value === wanted;
    part.hidden = !shown;
    part.disabled = !shown;
  }
}
