// The text of a passage as blocks: running text and tables, cut where the quote begins and ends. Pure functions.

/**
 * @typedef {{start: number, end: number}} Range of characters, in order and apart
 * @typedef {{text: string, marked: boolean}} Piece
 * @typedef {{kind: "text", pieces: Piece[]} | {kind: "table", caption: string, head: Piece[][], rows: Piece[][][]}} Block
 */

/**
 * The blocks of a passage. Offsets of the API count characters; those of JavaScript count UTF-16 units, so the text is taken apart first.
 * @param {{text: string, highlights: Range[], tables: {start: number, end: number, header?: number, indent?: number, separator?: string, columns?: string[], caption?: string}[]}} passage
 * @param {number} [from] characters at its beginning that the passage before has shown already
 * @returns {Block[]}
 */
export function blocksOf({ text, highlights, tables }, from = 0) {
  const characters = [...text];
  const blocks = [];
  let at = from;
  for (const table of [...tables].sort((one, other) => one.start - other.start)) {
    const begin = Math.max(at, table.start - (table.header ?? 0));
    if (table.end <= begin) continue;
    pushText(blocks, characters, at, begin, highlights);
    blocks.push(readTable(characters, begin, table, highlights));
    at = table.end;
  }
  pushText(blocks, characters, at, characters.length, highlights);
  return blocks;
}

/** The pieces of characters `start` to before `end`, each marked or not. @returns {Piece[]} */
export function piecesOf(characters, start, end, highlights) {
  const pieces = [];
  let at = start;
  const push = (to, marked) => {
    if (to > at) pieces.push({ text: characters.slice(at, to).join(""), marked });
    at = Math.max(at, to);
  };
  for (const range of highlights) {
    if (range.end <= at || range.start >= end) continue;
    push(range.start, false);
    push(Math.min(range.end, end), true);
  }
  push(end, false);
  return pieces;
}

function pushText(blocks, characters, start, end, highlights) {
  while (start < end && characters[start] === "\n") start++;
  while (start < end && characters[end - 1] === "\n") end--;
  if (start < end) blocks.push({ kind: "text", pieces: piecesOf(characters, start, end, highlights) });
}

function readTable(characters, begin, table, highlights) {
  const separator = [...(table.separator ?? "\t")];
  const rows = [];
  const names = (table.columns ?? []).map((name) => [{ text: name, marked: false }]);
  let head = names;
  let lines = 0; // of the header
  for (const [start, end] of linesOf(characters, begin, table.end)) {
    const cells = cellsOf(characters, start, end, separator).map(([first, last]) => piecesOf(characters, first, last, highlights));
    if (start < table.start) {
      lines += 1;
      head = lines > 1 && names.length ? names : cells; // of several lines the last one is half of a name: "Price / Summer"
    } else {
      if (!rows.length) cells.unshift(...Array.from({ length: table.indent ?? 0 }, () => []));
      rows.push(cells);
    }
  }
  return { kind: "table", caption: table.caption ?? "", head, rows };
}

function linesOf(characters, start, end) {
  const lines = [];
  for (let at = start; at <= end; at++) {
    if (at < end && characters[at] !== "\n") continue;
    if (at > start) lines.push([start, at]);
    start = at + 1;
  }
  return lines;
}

function cellsOf(characters, start, end, separator) {
  const cells = [];
  let from = start;
  for (let at = start; at + separator.length <= end; at++) {
    if (!separator.every((character, place) => characters[at + place] === character)) continue;
    cells.push([from, at]);
    from = at + separator.length;
    at = from - 1;
  }
  cells.push([from, end]);
  return cells;
}
