import { html, useLayoutEffect, useRef } from "../core/html.js";
import { Button } from "./button.js";
import { t } from "./words.js";

/**
 * A modal dialog of the browser's own kind: it keeps the focus inside and gives it back; Escape closes it.
 * @param {{title: string, close: () => void, wide?: boolean, isKept?: boolean, actions?: any}} props `actions`: buttons at its end;
 *   `isKept`: it shows what nobody can see again, so that its acts alone close it, not Escape nor a click beside it
 */
export function Dialog({ title, close, wide = false, isKept = false, actions, children }) {
  const dialog = useRef(null);
  useLayoutEffect(() => {
    dialog.current.showModal();
  }, []);
  return html`<dialog ref=${dialog} class=${wide ? "dialog wide" : "dialog"} aria-label=${title} onClose=${close}
    onClick=${(event) => event.target === dialog.current && !isKept && close()} onCancel=${isKept && stay} onKeyDown=${isKept && ((event) => event.key === "Escape" && stay(event))}>
    <div class="dialog-body">
      <header><h2>${title}</h2>${!isKept && html`<${Button} kind="quiet" icon="close" label=${t("close")} onClick=${close} />`}</header>
      <div class="dialog-content">${children}</div>
      ${actions && html`<footer>${actions}</footer>`}
    </div>
  </dialog>`;
}

const stay = (event) => event.preventDefault();

/**
 * Asks before something that cannot be undone.
 * @param {{title: string, text: string, label: string, run: () => any, close: () => void, busy?: boolean, problem?: any}} props
 */
export function Confirmation({ title, text, label, run, close, busy = false, problem }) {
  return html`<${Dialog} title=${title} close=${close} actions=${html`
    <${Button} onClick=${close}>${t("cancel")}</${Button}>
    <${Button} kind="danger" busy=${busy} onClick=${run}>${label}</${Button}>`}>
    <p>${text}</p>${problem}
  </${Dialog}>`;
}
