// What the pages do beyond plain links and forms. Each module works alone; without any of them everything still works.
import "./dialogs.js";
import "./forms.js";
import "./clipboard.js";
import "./passwords.js";
import "./tooltips.js";
import { leadOn } from "./addresses.js";
import { localise } from "./times.js";
import { prepare } from "./fields.js";

leadOn();
document.documentElement.classList.add("scripted");
localise(document);
prepare(document);
