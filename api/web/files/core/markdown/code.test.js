import { countTasks, equal, mount, test, until } from "/testing.js";
import { html } from "../html.js";
import { Code } from "./code.js";

const BLOCKS = 12;

test("blocks that become due together are coloured in tasks of their own", async () => {
  const tasks = []; // of each block that was coloured
  await countTasks(async (task) => {
    const place = mount(() => html`${Array.from({ length: BLOCKS }, (_, number) => html`<${Code} key=${number} text=${`x = ${number}`} language="python" />`)}`);
    const seen = new Set();
    new MutationObserver(() => {
      for (const block of place.querySelectorAll(".code:has(.hl-number)")) {
        if (!seen.has(block)) tasks.push(task());
        seen.add(block);
      }
    }).observe(place, { subtree: true, childList: true });
    await until(() => seen.size === BLOCKS);
  });
  equal(new Set(tasks).size, BLOCKS);
});
