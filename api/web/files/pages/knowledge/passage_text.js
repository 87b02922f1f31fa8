// The text of a passage for the eye: rows of tables as tables, words of a query marked.
import { html } from "../../core/html.js";

/**
 * The text in blocks: lines with tabs that stand together are the rows of a table.
 * @param {string} text @returns {({text: string} | {rows: string[][]})[]}
 */
export function blocksOf(text) {
  const blocks = [];
  for (const line of text.split("\n")) {
    const last = blocks.at(-1);
    if (line.includes("\t")) {
      const cells = line.split("\t");
      if (last?.rows) last.rows.push(cells);
      else blocks.push({ rows: [cells] });
    } else if (last && !last.rows) last.text += `\n${line}`;
    else if (line || !last) blocks.push({ text: line });
  }
  return blocks.map((block) => (block.rows?.length === 1 ? { text: block.rows[0].join("\t") } : block));
}

/** The text in pieces, every second one a keyword. @param {string} text @param {string[]} keywords */
export function piecesOf(text, keywords) {
  const words = keywords.filter(Boolean).map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return words.length ? text.split(new RegExp(`(${words.sort((one, other) => other.length - one.length).join("|")})`, "giu")) : [text];
}

/** @param {{text: string, keywords?: string[]}} props */
export function PassageText({ text, keywords = [] }) {
  return html`<div class="passage">
    ${blocksOf(text).map((block, number) =>
      block.rows
        ? html`<div key=${number} class="scroll-x"><table><tbody>${block.rows.map((cells, row) => html`<tr key=${row}>${cells.map((cell, at) => html`<td key=${at}>${marked(cell, keywords)}</td>`)}</tr>`)}</tbody></table></div>`
        : html`<p key=${number}>${marked(block.text, keywords)}</p>`,
    )}
  </div>`;
}

function marked(text, keywords) {
  return piecesOf(text, keywords).map((piece, number) => (number % 2 ? html`<mark key=${number}>${piece}</mark>` : piece));
}
