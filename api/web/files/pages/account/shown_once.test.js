import { chooseLanguage } from "../../core/words.js";
import { ShownOnce } from "./shown_once.js";
import { assert, equal, mount, test } from "/testing.js";

test("a secret goes only when somebody says that it is kept", () => {
  chooseLanguage("en");
  let closed = 0;
  const place = mount(ShownOnce, { title: "Key", text: "Once.", value: "claw_x", close: () => closed++ });
  const dialog = place.querySelector("dialog");
  const press = new KeyboardEvent("keydown", { key: "Escape", bubbles: true, cancelable: true });
  dialog.querySelector("input").dispatchEvent(press);
  const cancel = new Event("cancel", { cancelable: true });
  dialog.dispatchEvent(cancel);
  dialog.click();
  assert(press.defaultPrevented && cancel.defaultPrevented && dialog.open);
  equal(closed, 0);
  equal([...dialog.querySelectorAll("button")].map((each) => each.textContent.trim()), ["Copy", "I have kept it"]);
  dialog.querySelector("footer button").click();
  equal(closed, 1);
});
