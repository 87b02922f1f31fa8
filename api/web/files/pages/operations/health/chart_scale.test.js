import { assert, equal, test } from "/testing.js";
import { marksOf, pathOf, timesOf } from "./chart_scale.js";

test("marks are round, begin at 0 and reach the greatest value", () => {
  equal(marksOf(0, true), [0, 1]);
  equal(marksOf(7, true), [0, 2, 4, 6, 8]);
  equal(marksOf(0.9, false), [0, 0.5, 1]);
  for (let turn = 0; turn < 500; turn++) {
    const most = 10 ** (Math.random() * 12 - 4);
    const marks = marksOf(most, most > 1);
    assert(marks[0] === 0 && marks.at(-1) >= most * 0.999 && marks.length <= 6, `${most}: ${marks}`);
    assert(most <= 1 || marks.every(Number.isInteger), `${most}: ${marks}`);
  }
});

test("times stand at round steps, days from the first one on", () => {
  equal(timesOf(1003, 1063, 5, false), [1005, 1020, 1035, 1050]);
  equal(timesOf(0, 29 * 86400, 5, true).map((time) => time / 86400), [0, 7, 14, 21, 28]);
});

test("a line goes over what has no value", () => {
  equal(pathOf([1, null, 3], (index) => index * 10, (value) => -value), "M0.0 -1.0L20.0 -3.0");
  equal(pathOf([null, 2], (index) => index, (value) => value), "M1.0 2.0h0");
  equal(pathOf([], Number, Number), "");
});
