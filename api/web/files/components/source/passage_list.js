// Passages of a document in their order, with the quote marked; rows of tables as tables.
import { Fragment, html, useEffect, useRef } from "../../core/html.js";
import { formatPlace } from "../../core/words.js";
import { blocksOf } from "./passage_blocks.js";

/** @param {{passages: {chunk_id: string, ordinal: number, locator: string, text: string, overlap: number, tables: any[], highlights: any[]}[]}} props */
export function PassageList({ passages }) {
  const list = useRef(null);
  const first = passages.find((passage) => passage.highlights.length)?.chunk_id;
  useEffect(() => {
    list.current?.querySelector("mark")?.scrollIntoView({ block: "center" });
  }, [first]);
  return html`<div class="source-passages" ref=${list}>
    ${passages.map((passage, place) => {
      const before = passages[place - 1];
      return html`<section key=${passage.chunk_id}>
        ${passage.locator !== before?.locator && html`<h3 class="minor">${formatPlace(passage.locator)}</h3>`}
        ${blocksOf(passage, before?.ordinal === passage.ordinal - 1 ? passage.overlap : 0).map((block) => html`<${Block} block=${block} />`)}
      </section>`;
    })}
  </div>`;
}

function Block({ block }) {
  if (block.kind === "text") return html`<p class="source-text">${draw(block.pieces)}</p>`;
  return html`<div class="scroll-x"><table>
    ${block.caption && html`<caption class="minor">${block.caption}</caption>`}
    ${block.head.length > 0 && html`<thead><tr>${block.head.map((cell) => html`<th scope="col">${draw(cell)}</th>`)}</tr></thead>`}
    <tbody>${block.rows.map((row) => html`<tr>${row.map((cell) => html`<td>${draw(cell)}</td>`)}</tr>`)}</tbody>
  </table></div>`;
}

function draw(pieces) {
  return html`<${Fragment}>${pieces.map((piece) => (piece.marked ? html`<mark>${piece.text}</mark>` : piece.text))}</${Fragment}>`;
}
