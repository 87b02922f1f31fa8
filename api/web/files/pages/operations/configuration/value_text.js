// Values of configuration keys as text, and back. Pure.

/** @typedef {{kind: string, value: any, sensitive: boolean, is_set: boolean}} Key */

/** A value as people read it; "" for an empty text, "–" for none. */
export function textOf(value) {
  if (value === null || value === undefined) return "–";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** What was typed, as the key takes it. @param {string} kind of the key: integer, number, boolean, choice, text, path, secret */
export function valueOf(kind, text) {
  if (kind === "integer" || kind === "number") return text.trim() === "" || Number.isNaN(Number(text)) ? text : Number(text); // else the API says what it expects
  return kind === "boolean" ? text === "true" : text;
}

/** The choices that the limits of a key list, such as "auto · off · on"; [] for other limits. @returns {string[]} */
export function choicesOf(kind, limits) {
  return kind === "choice" ? limits.split("·").map((choice) => choice.trim()) : [];
}

/** The area of a key: what stands before the first point. */
export function areaOf(name) {
  return name.split(/[./]/)[0];
}

/**
 * The lines of two values, marked: " " in both, "-" in the first, "+" in the second alone. Values of several fields have one a line.
 * @returns {[mark: " " | "-" | "+", line: string][]}
 */
export function diffValues(before, after) {
  const [first, second] = [linesOf(before), linesOf(after)];
  const common = Array.from({ length: first.length + 1 }, () => new Array(second.length + 1).fill(0)); // longest common subsequences of the rests
  for (let i = first.length - 1; i >= 0; i--) {
    for (let j = second.length - 1; j >= 0; j--) common[i][j] = first[i] === second[j] ? common[i + 1][j + 1] + 1 : Math.max(common[i + 1][j], common[i][j + 1]);
  }
  const marked = [];
  let [i, j] = [0, 0];
  while (i < first.length || j < second.length) {
    if (i < first.length && j < second.length && first[i] === second[j]) {
      marked.push([" ", first[i]]);
      i += 1;
      j += 1;
    } else if (j >= second.length || (i < first.length && common[i + 1][j] >= common[i][j + 1])) marked.push(["-", first[i++]]);
    else marked.push(["+", second[j++]]);
  }
  return marked;
}

function linesOf(value) {
  return (typeof value === "object" && value !== null ? JSON.stringify(value, null, 2) : textOf(value)).split("\n");
}
