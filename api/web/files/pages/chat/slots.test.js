import { Slot, SlotWatcher } from "./slots.js";
import { h, html, render } from "../../core/html.js";
import { assert, equal, test, until } from "/testing.js";

const COUNT = 400;

function draw() {
  const scroller = document.createElement("div");
  Object.assign(scroller.style, { height: "400px", overflow: "auto" });
  document.body.append(scroller);
  const watcher = new SlotWatcher();
  const slots = Array.from({ length: COUNT }, (_, id) => html`<${Slot} key=${id} id=${id} role="user" watcher=${watcher} isFilled=${id > COUNT - 6} draw=${() => html`<p >message ${id}</p>`} />`);
  render(h("div", null, slots), scroller);
  watcher.attach(scroller);
  return { scroller, filled: () => scroller.querySelectorAll("p").length };
}

test("what is near is filled, and what is far is emptied", async () => {
  const { scroller, filled } = draw();
  scroller.scrollTop = scroller.scrollHeight;
  await until(() => scroller.textContent.includes("message 385"));
  equal(scroller.textContent.includes("message 0"), false);
  for (const part of [0.6, 0.3, 0]) {
    scroller.scrollTop = scroller.scrollHeight * part;
    const at = () => [...scroller.querySelectorAll(".slot")].find((slot) => slot.getBoundingClientRect().bottom > scroller.getBoundingClientRect().top + 1);
    await until(() => at().querySelector("p"));
  }
  await until(() => scroller.textContent.includes("message 0"));
  assert(filled() < 200, filled());
});

test("what somebody writes in stays", async () => {
  const { scroller } = draw();
  scroller.scrollTop = scroller.scrollHeight;
  const last = scroller.querySelector(`#message-${COUNT - 1}`);
  last.querySelector("p").append(document.createElement("form"));
  scroller.scrollTop = 0;
  await until(() => scroller.textContent.includes("message 0"));
  assert(last.querySelector("form"));
});
