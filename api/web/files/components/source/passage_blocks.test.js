import { blocksOf, piecesOf } from "./passage_blocks.js";
import { assert, equal, test } from "/testing.js";

const said = (pieces) => pieces.map((piece) => (piece.marked ? `<${piece.text}>` : piece.text)).join("");

test("the quote is marked where it is, in characters, not in units of UTF-16", () => {
  const [block] = blocksOf({ text: "🐾🐾 The lantern is lit.", highlights: [{ start: 3, end: 14 }], tables: [] });
  equal(said(block.pieces), "🐾🐾 <The lantern> is lit.");
});

test("what the passage before has shown is left out, also of a mark", () => {
  const [block] = blocksOf({ text: "one two three", highlights: [{ start: 0, end: 7 }], tables: [] }, 4);
  equal(said(block.pieces), "<two> three");
});

test("rows become a table with its header, and text stays around it", () => {
  const text = "Fees:\nItem\tDays\nPostage\t30\nReturn\t14\nThat is all.";
  const tables = [{ start: 16, end: 36, header: 10, separator: "\t", columns: ["Item", "Days"] }];
  const blocks = blocksOf({ text, highlights: [{ start: 16, end: 26 }], tables });
  equal(blocks.map((block) => block.kind), ["text", "table", "text"]);
  equal(blocks[1].head.map(said), ["Item", "Days"]);
  equal(blocks[1].rows.map((row) => row.map(said)), [["<Postage>", "<30>"], ["Return", "14"]]);
  equal(said(blocks[2].pieces), "That is all.");
});

test("columns of a header of several lines have their whole names", () => {
  const header = "Goods\tPrice\tPrice\nGoods\tSummer\tWinter\nGoods\t€\t€\n";
  const columns = ["Goods", "Price / Summer / €", "Price / Winter / €"];
  const table = { start: header.length, end: header.length + 10, header: header.length, separator: "\t" };
  const of = (values) => blocksOf({ text: `${header}Rye\t38\t401`, highlights: [], tables: [{ ...table, ...values }] })[0];
  equal(of({ columns }).head.map(said), columns);
  equal(of({ columns }).rows.length, 1);
  equal(of({}).head.map(said), ["Goods", "€", "€"]);
});

test("a table that goes on from the passage before has its columns' names and empty cells for what is not here", () => {
  const [table] = blocksOf({ text: "30 | late\nb | 2", highlights: [], tables: [{ start: 0, end: 15, indent: 1, separator: " | ", columns: ["a", "b", "c"] }] });
  equal(table.head.map(said), ["a", "b", "c"]);
  equal(table.rows.map((row) => row.map(said)), [["", "30", "late"], ["b", "2"]]);
});

test("pieces are the whole text, whatever is marked", () => {
  const text = [..."甲乙丙🐾丁戊己庚"];
  for (let start = 0; start < text.length; start++) {
    for (let end = start + 1; end <= text.length; end++) {
      const pieces = piecesOf(text, 1, text.length, [{ start, end }]);
      equal(pieces.map((piece) => piece.text).join(""), text.slice(1).join(""));
      assert(pieces.filter((piece) => piece.marked).every((piece) => text.slice(start, end).join("").includes(piece.text)));
    }
  }
});
