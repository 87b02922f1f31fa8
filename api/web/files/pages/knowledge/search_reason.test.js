import { reasonOf } from "./search_reason.js";
import { equal, test } from "/testing.js";

test("the reason says which legs found a passage, and how well beside the best", () => {
  const all = [
    { bm25: 10, dense: 0.8 },
    { bm25: 5, dense: 0.4 },
    { bm25: 2.5, dense: 0 },
    { bm25: 0, dense: 0.6 },
  ];
  equal(all.map((passage) => reasonOf(passage, all)).map(({ reason, values }) => [reason, values.words, values.meaning]), [
    ["reason_best", 100, 100],
    ["reason_both", 50, 50],
    ["reason_words", 25, 0],
    ["reason_meaning", 0, 75],
  ]);
});
