import { Composer } from "./composer.js";
import { equal, mount, test } from "/testing.js";

function write(value, more = {}) {
  const sent = [];
  const place = mount(Composer, { value, setValue: () => {}, send: (text) => sent.push(text), ...more });
  return { sent, area: place.querySelector("textarea"), place };
}

const press = (area, key, more = {}) => area.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }));

test("enter sends, with shift it does not, nor while a word is composed", () => {
  const { sent, area } = write("几天？");
  press(area, "Enter", { isComposing: true });
  press(area, "Enter", { keyCode: 229 });
  press(area, "Enter", { shiftKey: true });
  equal(sent, []);
  press(area, "Enter");
  equal(sent, ["几天？"]);
});

test("nothing is sent without text, twice, or while an answer is written", () => {
  for (const { sent, area } of [write("  "), write("a", { busy: true }), write("a", { stop: () => {} })]) {
    press(area, "Enter");
    equal(sent, []);
  }
});

test("up edits the last question when nothing is written", () => {
  let count = 0;
  press(write("a", { editLast: () => count++ }).area, "ArrowUp");
  equal(count, 0);
  press(write("", { editLast: () => count++ }).area, "ArrowUp");
  equal(count, 1);
});
