// The one live region of the application: what a screen reader says although the focus is elsewhere.
import { html, signal } from "../core/html.js";

const spoken = signal({ text: "", turn: 0 });

/** Says a sentence, once. */
export function announce(text) {
  spoken.value = { text, turn: spoken.value.turn + 1 };
}

/** Its place in the document. */
export function Announcements() {
  // a no-break space makes the same sentence another text, so that it is said again
  return html`<div class="unseen" role="status" aria-live="polite" aria-atomic="true">${spoken.value.text}${spoken.value.turn % 2 ? "\u00a0" : ""}</div>`;
}
