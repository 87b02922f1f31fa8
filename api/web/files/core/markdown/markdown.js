// Markdown of models, documents and people, drawn as elements. No HTML is ever made of text: tags and pictures stay what was written.
import { html, useMemo, useRef } from "../html.js";
import { BlockReader } from "./blocks.js";
import { Code } from "./code.js";
import { Formula } from "./formula.js";
import { safeAddress } from "./links.js";
import { CLOSE, OPEN, cleanText } from "./lexer.js";

const NONE = [];

/**
 * @typedef {object} Drawing how some pieces are drawn
 * @property {(marker: number, raw: string) => any} [citation] `[1]`; left as it is without this
 * @property {(text: string) => any} [noted] the text of a range
 */

/**
 * Draws markdown. While `text` grows, blocks that are complete are not drawn again.
 * @param {{text: string, ranges?: Range[], drawing?: Drawing, version?: unknown}} props `ranges`: what `drawing.noted` draws; `version`:
 *   changes when `drawing` draws otherwise
 */
export function Markdown({ text, ranges = NONE, drawing = NONE, version }) {
  const reader = useRef(null);
  const drawn = useRef({ version, blocks: new Map() });
  reader.current ??= new BlockReader();
  if (drawn.current.version !== version) drawn.current = { version, blocks: new Map() };
  const blocks = useMemo(() => reader.current.read(markRanges(text, ranges)), [text, ranges]);
  const before = drawn.current.blocks;
  const now = new Map();
  const elements = blocks.map((block, number) => {
    const known = before.get(number);
    const entry = known?.raw === block.raw ? known : { raw: block.raw, element: html`<${Block} key=${number} block=${block} drawing=${drawing} />` };
    now.set(number, entry);
    return entry.element; // the same element again: it is not drawn again
  });
  drawn.current.blocks = now;
  return html`<div class="markdown">${elements}</div>`;
}

/**
 * The same for text that does not grow: an element to put anywhere.
 * @param {string} text @param {Drawing} [drawing]
 */
export function renderMarkdown(text, drawing) {
  return html`<${Markdown} text=${text} drawing=${drawing} />`;
}

/**
 * The text with marks around some ranges, and without marks of its own.
 * @typedef {{start_index: number, end_index: number}} Range in characters, as Python counts them (code points)
 * @param {string} text @param {Range[]} ranges
 */
export function markRanges(text, ranges) {
  if (!ranges.length) return cleanText(text);
  const characters = Array.from(cleanText(text));
  const sorted = [...ranges].sort((left, right) => left.start_index - right.start_index);
  const parts = [];
  let at = 0;
  for (const { start_index: start, end_index: end } of sorted) {
    if (start < at || end <= start || end > characters.length) continue;
    parts.push(characters.slice(at, start).join(""), OPEN, characters.slice(start, end).join(""), CLOSE);
    at = end;
  }
  return [...parts, characters.slice(at).join("")].join("");
}

function Block({ block, drawing }) {
  return drawBlock(block, drawing, "auto");
}

/** `dir`: of the outermost elements, each by its first letters; what is inside goes with it (and would not count if it had one). */
function drawBlock(block, drawing, dir = null) {
  const inside = () => drawAll(block.tokens, drawing);
  switch (block.type) {
    case "paragraph":
      return html`<p dir=${dir}>${inside()}</p>`;
    case "text":
      return block.tokens ? inside() : unmarked(block.text);
    case "heading":
      return html`<${`h${Math.min(block.depth + 2, 6)}`} dir=${dir}>${inside()}</${`h${Math.min(block.depth + 2, 6)}`}>`; // the page has h1 and h2
    case "code":
      return html`<${Code} text=${unmarked(block.text)} language=${block.lang || ""} />`;
    case "formula_block":
      return html`<${Formula} text=${unmarked(block.text)} raw=${unmarked(block.raw)} isDisplay />`;
    case "blockquote":
      return html`<blockquote dir=${dir}>${block.tokens.map((each) => drawBlock(each, drawing))}</blockquote>`;
    case "list":
      return drawList(block, drawing, dir);
    case "table":
      return drawTable(block, drawing, dir);
    case "hr":
      return html`<hr />`;
    case "space":
      return null;
    case "html":
    case "plain":
      return html`<p class="plain" dir=${dir}>${unmarked(block.raw.trimEnd())}</p>`;
    default:
      return drawInline(block, drawing);
  }
}

function drawList(list, drawing, dir) {
  const items = list.items.map((item) => html`<li class=${item.task ? "task" : null}>
    ${item.task && html`<input type="checkbox" disabled checked=${item.checked} aria-label=${item.checked ? "✓" : "–"} />`}${item.tokens.filter((each) => each.type !== "checkbox").map((each) => drawBlock(each, drawing))}
  </li>`);
  return list.ordered ? html`<ol dir=${dir} start=${list.start || 1}>${items}</ol>` : html`<ul dir=${dir}>${items}</ul>`;
}

function drawTable(table, drawing, dir) {
  const cells = (row, Cell) => row.map((cell, column) => html`<${Cell} class=${table.align[column] ? `align-${table.align[column]}` : null}>${drawAll(cell.tokens, drawing)}</${Cell}>`);
  return html`<div class="scroll-x" tabindex="0"><table dir=${dir}>
    <thead><tr>${cells(table.header, "th")}</tr></thead>
    <tbody>${table.rows.map((row) => html`<tr>${cells(row, "td")}</tr>`)}</tbody>
  </table></div>`;
}

function drawAll(tokens, drawing) {
  return (tokens ?? []).map((token) => drawInline(token, drawing));
}

function drawInline(token, drawing) {
  const inside = () => drawAll(token.tokens, drawing);
  switch (token.type) {
    case "text":
      return token.tokens ? inside() : unmarked(token.text);
    case "escape":
      return unmarked(token.text);
    case "strong":
      return html`<strong>${inside()}</strong>`;
    case "em":
      return html`<em>${inside()}</em>`;
    case "del":
      return html`<del>${inside()}</del>`;
    case "codespan":
      return html`<code dir="ltr">${unmarked(token.text)}</code>`;
    case "br":
      return html`<br />`;
    case "link":
      return drawLink(token, inside());
    case "image": // never loaded: it would tell its server who reads what
      return drawLink(token, `🖼 ${unmarked(token.text || token.href)}`);
    case "formula":
      return html`<${Formula} text=${unmarked(token.text)} raw=${unmarked(token.raw)} isDisplay=${token.isDisplay} />`;
    case "citation":
      return drawing.citation?.(token.marker, token.raw) ?? token.raw;
    case "noted":
      return drawing.noted?.(token.text) ?? token.text;
    default:
      return unmarked(token.raw);
  }
}

function drawLink(token, content) {
  const address = safeAddress(unmarked(token.href));
  if (!address) return html`<span>${content}</span>`;
  return html`<a href=${address} target="_blank" rel="noopener noreferrer nofollow">${content}</a>`;
}

function unmarked(text) {
  return text.replaceAll(OPEN, "").replaceAll(CLOSE, "");
}
