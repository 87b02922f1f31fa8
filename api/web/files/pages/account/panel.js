import { html } from "../../core/html.js";

/** A card of a section: heading, a sentence about it, acts at the right, content. @param {{title: string, text?: any, actions?: any}} props */
export function Panel({ title, text, actions, children }) {
  return html`<section class="card panel">
    <header><div class="stretch"><h2>${title}</h2>${text && html`<p class="minor">${text}</p>`}</div>${actions}</header>
    ${children}
  </section>`;
}
