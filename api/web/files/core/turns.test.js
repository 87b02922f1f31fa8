import { countTasks, equal, test } from "/testing.js";
import { inTurn } from "./turns.js";

test("pieces of work that are due together have a task each, in order", async () => {
  const done = [];
  await countTasks(async (task) => {
    const work = (name) => {
      done.push([name, task()]);
      return name.toUpperCase();
    };
    equal(await Promise.all(["a", "b", "c", "d"].map((name) => inTurn(() => work(name)))), ["A", "B", "C", "D"]);
  });
  equal(done.map(([name]) => name), ["a", "b", "c", "d"]);
  equal(new Set(done.map(([, task]) => task)).size, 4);
});

test("work that fails holds up nothing", async () => {
  const failed = inTurn(() => {
    throw new Error("broken");
  }).catch((error) => error.message);
  equal([await failed, await inTurn(() => 2)], ["broken", 2]);
});
