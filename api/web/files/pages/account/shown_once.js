import { html } from "../../core/html.js";
import { copyText } from "../../core/clipboard.js";
import { Button } from "../../components/button.js";
import { Dialog } from "../../components/dialog.js";
import { showToast } from "../../components/toasts.js";
import { t as common } from "../../components/words.js";
import { t } from "./words.js";

/** A value to copy, such as a secret or a link. @param {{label: string, value: string}} props */
export function CopyField({ label, value }) {
  const copy = async (event) => {
    if (await copyText(value)) showToast(common("copied"));
    else event.target.closest(".copy-field").querySelector("input").select();
  };
  return html`<div class="copy-field">
    <input readonly aria-label=${label} value=${value} onFocus=${(event) => event.target.select()} />
    <${Button} icon="copy" onClick=${copy}>${common("copy")}</${Button}>
  </div>`;
}

/** A secret that is shown this once. @param {{title: string, text: string, value: string, close: () => void}} props */
export function ShownOnce({ title, text, value, close, children }) {
  return html`<${Dialog} title=${title} close=${close} isKept actions=${html`<${Button} kind="primary" onClick=${close}>${t("kept")}</${Button}>`}>
    <p class="note-warning">${text}</p>
    <${CopyField} label=${title} value=${value} />
    ${children}
  </${Dialog}>`;
}
