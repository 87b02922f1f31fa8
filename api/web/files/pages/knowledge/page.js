// Knowledge bases: /knowledge lists them, /knowledge/{id} is one of them with its documents, search and index,
// /knowledge/{id}/documents/{document} is a document.
import { html } from "../../core/html.js";
import { place } from "../../core/router.js";
import { BaseView } from "./base_view.js";
import { BasesView } from "./bases_view.js";

export default function KnowledgePage() {
  const [, baseId, part, documentId] = place.value.parts;
  return html`<main class="content knowledge">
    ${baseId ? html`<${BaseView} key=${baseId} baseId=${baseId} part=${part || "documents"} documentId=${documentId || ""} />` : html`<${BasesView} />`}
  </main>`;
}
