// A small part of Markdown as DOM nodes. Text becomes text nodes and nothing else, so no answer can bring an element of its own; a link is one
// only to http(s). Every step reads its text once from left to right.

const SAFE_URL = /^https?:\/\/[^\s]+$/i;
const BULLET = /^\s{0,8}(?:[-*+]|\d{1,9}[.)])\s+/;
const DEPTH_MAX = 4;

/**
 * The nodes of an answer.
 *
 * @param {string} text
 * @param {(marker: number) => Node | null} citeMarker what stands for `[1]`; null for a marker without a source
 * @returns {DocumentFragment}
 */
export function renderMarkdown(text, citeMarker) {
  const fragment = document.createDocumentFragment();
  const lines = text.split("\n");
  for (let at = 0; at < lines.length;) {
    const end = blockEnd(lines, at);
    const block = renderBlock(lines.slice(at, end), citeMarker);
    if (block) fragment.append(block);
    at = end;
  }
  return fragment;
}

function kindOf(line) {
  const trimmed = line.trim();
  if (trimmed === "") return "blank";
  if (trimmed.startsWith("```")) return "code";
  if (trimmed.startsWith("|") && trimmed.length > 1) return "table";
  if (/^#{1,6}\s/.test(trimmed)) return "heading";
  return BULLET.test(line) ? "list" : "text";
}

function blockEnd(lines, at) {
  const kind = kindOf(lines[at]);
  if (kind === "blank" || kind === "heading") return at + 1;
  let end = at + 1;
  if (kind === "code") {
    while (end < lines.length && kindOf(lines[end]) !== "code") end += 1;
    return Math.min(end + 1, lines.length);
  }
  while (end < lines.length && kindOf(lines[end]) === kind) end += 1;
  return end;
}

function renderBlock(lines, cite) {
  switch (kindOf(lines[0])) {
    case "blank": return null;
    case "code": return element("pre", [element("code", [lines.slice(1).filter((line) => kindOf(line) !== "code").join("\n")])]);
    case "heading": return element("p", [element("strong", renderInline(lines[0].trim().replace(/^#{1,6}\s+/, ""), cite))]);
    case "list": {
      const items = lines.map((line) => element("li", renderInline(line.replace(BULLET, ""), cite)));
      return element(/^\s*\d/.test(lines[0]) ? "ol" : "ul", items);
    }
    case "table": return renderTable(lines, cite);
    default: return element("p", lines.flatMap((line, place) => [...(place ? [document.createElement("br")] : []), ...renderInline(line, cite)]));
  }
}

function renderTable(lines, cite) {
  const rows = lines.map((line) => line.trim().replace(/^\|/, "").replace(/\|$/, "").split("|").map((cell) => cell.trim()));
  const isRule = (row) => row.every((cell) => /^:?-+:?$/.test(cell));
  const hasHead = rows.length > 1 && isRule(rows[1]);
  const table = element("table", rows.filter((row) => !isRule(row)).map((row, place) => {
    const head = hasHead && place === 0;
    return element("tr", row.map((cell) => {
      const made = element(head ? "th" : "td", renderInline(cell, cite));
      if (head) made.scope = "col";
      return made;
    }));
  }));
  const scrolling = element("div", [table]);
  scrolling.className = "table";
  scrolling.tabIndex = 0;
  return scrolling;
}

function renderInline(text, cite, depth = 0) {
  const nodes = [];
  let plain = "";
  const flush = () => {
    if (plain) nodes.push(plain);
    plain = "";
  };
  for (let at = 0; at < text.length;) {
    const span = depth < DEPTH_MAX ? readSpan(text, at, cite, depth) : null;
    if (span) {
      flush();
      nodes.push(span.node);
      at = span.end;
    } else {
      plain += text[at];
      at += 1;
    }
  }
  flush();
  return nodes;
}

/** The node that begins at this sign, and where it ends; null for a sign that is itself. */
function readSpan(text, at, cite, depth) {
  const sign = text[at];
  if (sign === "`") {
    const end = closing(text, "`", at + 1);
    return end > at + 1 ? { node: element("code", [text.slice(at + 1, end)]), end: end + 1 } : null;
  }
  if (sign === "*") {
    const mark = text[at + 1] === "*" ? "**" : "*";
    const from = at + mark.length;
    const end = text[from]?.trim() ? closing(text, mark, from) : -1;
    return end > from ? { node: element(mark === "*" ? "em" : "strong", renderInline(text.slice(from, end), cite, depth + 1)), end: end + mark.length } : null;
  }
  return sign === "[" && text[at - 1] !== "!" ? readBracket(text, at, cite) : null;
}

const SPAN_CHARS_MAX = 2_000; // so that an opening sign without its end costs no look through the whole answer

function closing(text, mark, from) {
  const end = text.slice(from, from + SPAN_CHARS_MAX).indexOf(mark);
  return end < 0 ? -1 : from + end;
}

function readBracket(text, at, cite) {
  const end = closing(text, "]", at + 1);
  if (end < 0) return null;
  const label = text.slice(at + 1, end);
  if (/^\d{1,3}$/.test(label)) {
    const node = cite(Number(label));
    return node ? { node, end: end + 1 } : null;
  }
  const close = text[end + 1] === "(" ? closing(text, ")", end + 2) : -1;
  const url = close < 0 ? "" : text.slice(end + 2, close).trim();
  if (!SAFE_URL.test(url)) return null;
  const link = element("a", [label || url]);
  link.href = url;
  link.target = "_blank";
  link.rel = "noopener noreferrer nofollow";
  return { node: link, end: close + 1 };
}

/** @param {string} name @param {(Node | string)[]} children */
export function element(name, children = []) {
  const made = document.createElement(name);
  made.append(...children);
  return made;
}
