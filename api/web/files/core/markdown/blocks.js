// A text that grows, as blocks: what can no longer change is read once.
import { readBlocks } from "./lexer.js";

/**
 * Reads markdown piece by piece. While a text grows only its last block can change (with the empty lines behind it), so each call reads
 * that block and what is new: a long answer costs as much as its length.
 */
export class BlockReader {
  constructor() {
    this.settled = []; // blocks that stay as they are
    this.start = 0; // where the part begins that is read again
    this.text = "";
  }

  /**
   * The blocks of the text, which usually begins with the text before; another one is read from its beginning.
   * @param {string} text
   * @returns {{type: string, raw: string}[]}
   */
  read(text) {
    const whole = text.replace(/\r\n?/g, "\n");
    if (!whole.startsWith(this.text)) Object.assign(this, { settled: [], start: 0 });
    this.text = whole;
    const blocks = readBlocks(whole.slice(this.start));
    const last = blocks.findLastIndex((block) => block.type !== "space");
    const settled = blocks.slice(0, Math.max(last, 0));
    const length = settled.reduce((sum, block) => sum + block.raw.length, 0);
    if (settled.length && whole.slice(this.start, this.start + length) === settled.map((block) => block.raw).join("")) {
      this.settled = [...this.settled, ...settled.filter((block) => block.type !== "space")];
      this.start += length;
      return [...this.settled, ...blocks.slice(last)].filter((block) => block.type !== "space");
    }
    return [...this.settled, ...blocks].filter((block) => block.type !== "space");
  }
}
