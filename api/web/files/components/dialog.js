import { html, useLayoutEffect, useRef } from "../core/html.js";
import { Button } from "./button.js";
import { t } from "./words.js";

/**
 * A modal dialog of the browser's own kind: it keeps the focus inside and gives it back; Escape closes it.
 * @param {{title: string, close: () => void, wide?: boolean, actions?: any}} props `actions`: buttons at its end
 */
export function Dialog({ title, close, wide = false, actions, children }) {
  const dialog = useRef(null);
  useLayoutEffect(() => {
    dialog.current.showModal();
  }, []);
  return html`<dialog ref=${dialog} class=${wide ? "dialog wide" : "dialog"} aria-label=${title} onClose=${close} onClick=${(event) => event.target === dialog.current && close()}>
    <div class="dialog-body">
      <header><h2>${title}</h2><${Button} kind="quiet" icon="close" label=${t("close")} onClick=${close} /></header>
      <div class="dialog-content">${children}</div>
      ${actions && html`<footer>${actions}</footer>`}
    </div>
  </dialog>`;
}

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
