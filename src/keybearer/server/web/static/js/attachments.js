// Files for a message: chosen, pasted or dropped, then uploaded and linked in the text.
import { complain } from "./forms.js";
import { token } from "./events.js";

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-attach]")) document.querySelector("[data-attachment]").click();
});
document.addEventListener("change", (event) => {
  if (!event.target.matches("[data-attachment]")) return;
  attach(event.target.form.querySelector("[data-attaches]"), event.target.files);
  event.target.value = "";
});
document.addEventListener("paste", (event) => take(event, event.clipboardData));
document.addEventListener("drop", (event) => take(event, event.dataTransfer));
document.addEventListener("dragover", (event) => {
  if (event.target.matches?.("[data-attaches]") && event.dataTransfer.types.includes("Files")) event.preventDefault();
});

function take(event, transfer) {
  if (!event.target.matches?.("[data-attaches]") || !transfer?.files.length) return;
  event.preventDefault();
  attach(event.target, transfer.files);
}

async function attach(field, files) {
  for (const file of [...files]) {
    const hole = `[Uploading ${file.name}…]()`;
    insert(field, hole);
    const link = await upload(file).catch((problem) => {
      complain(field.form, `${file.name} was not attached. ${problem.message}`);
      return "";
    });
    // A function, so that a dollar sign in a name has no special meaning.
    field.value = field.value.replace(hole, () => link);
    field.focus();
  }
}

function insert(field, text) {
  const before = field.value.slice(0, field.selectionStart);
  field.setRangeText(before && !/\s$/.test(before) ? ` ${text}` : text, field.selectionStart, field.selectionEnd, "end");
}

async function upload(file) {
  const body = new FormData();
  body.append("file", file, file.name);
  const response = await fetch("/json/user_uploads", { method: "POST", headers: { "X-CSRFToken": token() }, body })
    .catch(() => { throw new Error("The server did not answer. Please try again."); });
  const answer = await response.json().catch(() => ({ msg: "The server refused it." }));
  if (!response.ok) throw new Error(answer.msg);
  return `[${answer.filename.replace(/[[\]]/g, "")}](${answer.url})`;
}
