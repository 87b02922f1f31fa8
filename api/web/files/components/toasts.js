// Short news at the edge of the screen: of an act that succeeded, or failed where no place of its own could say so.
import { html, signal } from "../core/html.js";
import { Problem } from "../core/http.js";
import { announce } from "./announcer.js";
import { Button } from "./button.js";
import { t } from "./words.js";

const SHOWN_MS = 6000;
const SHOWN_MAX = 4;

const toasts = signal([]);
let next = 0;

/** Shows a sentence; `act` offers something to do about it, such as undoing. @param {{label: string, run: () => void}} [act] */
export function showToast(text, act) {
  add({ text, act, kind: "plain" });
  announce(text);
}

/** Shows what went wrong; it stays until it is closed. */
export function showProblem(problem) {
  if (problem?.name === "AbortError") return;
  const text = problem instanceof Problem ? [problem.title, problem.detail || problem.remedy].filter(Boolean).join(" ") : t("problem");
  if (!(problem instanceof Problem)) console.error(problem);
  add({ text, kind: "problem" });
  announce(text);
}

function add(toast) {
  const id = next++;
  toasts.value = [...toasts.value.slice(1 - SHOWN_MAX), { ...toast, id }];
  if (toast.kind !== "problem") setTimeout(() => close(id), SHOWN_MS);
}

function close(id) {
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
}

/** Their place in the document. */
export function Toasts() {
  return html`<div class="toasts">
    ${toasts.value.map(
      (toast) => html`<div key=${toast.id} class=${`toast ${toast.kind}`}>
        <span>${toast.text}</span>
        ${toast.act && html`<${Button} kind="quiet" onClick=${() => (close(toast.id), toast.act.run())}>${toast.act.label}</${Button}>`}
        <${Button} kind="quiet" icon="close" label=${t("close")} onClick=${() => close(toast.id)} />
      </div>`,
    )}
  </div>`;
}
