// Markdown as tokens: marked's lexer with formulas, and without what has no place in foreign text.
import { Lexer, Marked } from "../../vendor/marked.js";

// Characters of the private use area mark a piece of the text that is drawn in a way of its own (`marked` tokens). They are taken out of
// foreign text first, so nobody else can set them.
export const OPEN = "\ue000";
export const CLOSE = "\ue001";

// Emphasis and links are found in time that grows with length × delimiters, so a paragraph in which that is beyond any that people write is
// shown as it was written.
const INLINE_WORK_MAX = 400_000;
const CITATIONS = /\[\d{1,3}\](?!\()|【\d{1,3}】/g;
const CITATIONS_PER_DELIMITER = 10; // they are what they are at once, without a search for their other half
const DELIMITERS = /[*_~`[\]()<>$\\!&@\n【\ue000]|http/g;
// a line that begins more than twelve quotes and lists inside each other, or is indented as if it did
const TOO_DEEP = /^(?:(?:[ \t]{0,3}(?:>|[-*+][ \t]|\d{1,9}[.)][ \t])){12}|[ \t]{48}[ \t]*(?:>|[-*+][ \t]|\d{1,9}[.)][ \t]))/m;

const { defaults } = new Marked({
  gfm: true,
  breaks: true,
  tokenizer: {
    def: () => undefined, // [1]: … is text; a definition far below would change blocks that are drawn already
  },
  extensions: [
    formula("formula_block", "block", [
      ["$$", /^\$\$([^$]+?)\$\$(?:[ \t]*(?:\n|$))/],
      ["\\[", /^\\\[([^]+?)\\\](?:[ \t]*(?:\n|$))/],
    ]),
    formula("formula", "inline", [
      ["$$", /^\$\$([^$]+?)\$\$/],
      // money is no formula: no space inside the dollar signs, no digit behind them
      ["$", /^\$(?![\s$])((?:\\[^\n]|[^$\\\n]){1,1000}?)(?<!\s)\$(?!\d)/],
      ["\\(", /^\\\(([^]+?)\\\)/],
      ["\\[", /^\\\[([^]+?)\\\]/],
    ]),
    {
      name: "citation",
      level: "inline",
      start: (text) => atOrUndefined(text.search(/[[【]\d/)),
      tokenizer: (text) => {
        const found = /^(?:\[(\d{1,3})\](?!\()|【(\d{1,3})】)/.exec(text);
        return found ? { type: "citation", raw: found[0], marker: Number(found[1] ?? found[2]) } : undefined;
      },
    },
    {
      name: "noted",
      level: "inline",
      start: (text) => atOrUndefined(text.indexOf(OPEN)),
      tokenizer: (text) => {
        if (!text.startsWith(OPEN)) return undefined;
        const end = text.indexOf(CLOSE);
        return end < 0 ? undefined : { type: "noted", raw: text.slice(0, end + 1), text: text.slice(1, end) };
      },
    },
  ],
});

function formula(name, level, forms) {
  return {
    name,
    level,
    // a block begins where another ends; inside a paragraph the inline form finds it
    start: level === "block" ? undefined : (text) => {
      const places = forms.map(([opening]) => text.indexOf(opening)).filter((place) => place >= 0);
      return places.length ? Math.min(...places) : undefined;
    },
    tokenizer: (text) => {
      for (const [opening, form] of forms) {
        if (!text.startsWith(opening)) continue;
        if (!text.includes(CLOSING[opening], opening.length)) continue;
        const found = form.exec(text);
        if (found) return { type: name, raw: found[0], text: found[1].trim(), isDisplay: level === "block" || opening !== "$" && opening !== "\\(" };
      }
      return undefined;
    },
  };
}

const CLOSING = { $$: "$$", $: "$", "\\(": "\\)", "\\[": "\\]" };

function atOrUndefined(place) {
  return place < 0 ? undefined : place;
}

/** The text without the characters that only we may set; as long as it was. @param {string} text */
export function cleanText(text) {
  return text.replace(/[\ue000\ue001]/g, "\ufffd");
}

/**
 * The blocks of a text as tokens of marked; as they were written (type `plain`) where they are nested too deep or cannot be read.
 * @param {string} text
 */
export function readBlocks(text) {
  const lines = text.replace(/\r\n?/g, "\n");
  if (TOO_DEEP.test(lines)) return [plainBlock(lines)];
  try {
    const lexer = new Lexer(defaults);
    lexer.blockTokens(lines, lexer.tokens);
    for (const { src, tokens } of lexer.inlineQueue) {
      if (isTooMuch(src)) tokens.push({ type: "text", raw: src, text: src });
      else lexer.inlineTokens(src, tokens);
    }
    return [...lexer.tokens];
  } catch {
    return [plainBlock(lines)]; // nothing that somebody wrote may keep an answer from being shown
  }
}

function isTooMuch(text) {
  const citations = text.match(CITATIONS)?.length ?? 0;
  const delimiters = text.replace(CITATIONS, "").match(DELIMITERS)?.length ?? 0;
  return text.length * (delimiters + citations / CITATIONS_PER_DELIMITER) > INLINE_WORK_MAX;
}

function plainBlock(text) {
  return { type: "plain", raw: text, text };
}
