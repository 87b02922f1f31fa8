import { equal, test } from "/testing.js";
import { areaOf, choicesOf, diffValues, textOf, valueOf } from "./value_text.js";

test("what is shown and typed again is the same value", () => {
  for (const [kind, value] of [["integer", 42], ["number", 0.25], ["boolean", true], ["boolean", false], ["text", "glm-4"], ["text", ""], ["choice", "off"]]) equal(valueOf(kind, textOf(value)), value);
});

test("what is no number goes to the API as it is, which says what it expects", () => equal([valueOf("integer", "many"), valueOf("number", " ")], ["many", " "]));

test("choices, areas", () => {
  equal(choicesOf("choice", " · high · low"), ["", "high", "low"]);
  equal(choicesOf("integer", "≥ 0"), []);
  equal([areaOf("model.temperature"), areaOf("rate_limits.rules"), areaOf("x/y")], ["model", "rate_limits", "x"]);
});

test("a difference keeps every line of both, in order", () => {
  equal(diffValues(1, 2), [["-", "1"], ["+", "2"]]);
  equal(diffValues("same", "same"), [[" ", "same"]]);
  equal(diffValues({ a: 1, b: 2 }, { a: 1, b: 3 }), [[" ", "{"], [" ", '  "a": 1,'], ["-", '  "b": 2'], ["+", '  "b": 3'], [" ", "}"]]);
  for (let turn = 0; turn < 100; turn++) {
    const [before, after] = [0, 1].map(() => Array.from({ length: Math.floor(Math.random() * 8) }, () => "abc"[Math.floor(Math.random() * 3)]).join("\n"));
    const marked = diffValues(before, after);
    equal(marked.filter(([mark]) => mark !== "+").map(([, line]) => line).join("\n"), before);
    equal(marked.filter(([mark]) => mark !== "-").map(([, line]) => line).join("\n"), after);
  }
});
