import { Problem } from "../../core/http.js";
import { runMany } from "./many.js";
import { equal, test } from "/testing.js";

test("four at a time, all of them, failures by cause", async () => {
  let running = 0;
  let most = 0;
  const ended = [];
  const rows = Array.from({ length: 12 }, (_, number) => ({ document_id: String(number) }));
  const act = async ({ document_id }) => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, 1));
    running--;
    if (Number(document_id) % 3 === 0) throw new Problem({ code: "not_found", title: "Not found", remedy: "Check it." });
    if (document_id === "1") throw new Problem({ code: "overloaded", title: "Overloaded" });
  };
  const causes = await runMany(rows, act, (count) => ended.push(count));
  equal(most, 4);
  equal(ended.at(-1), 12);
  equal(causes.map(({ code, count, names }) => [code, count, names]), [
    ["not_found", 4, ["0", "3", "6"]],
    ["overloaded", 1, ["1"]],
  ]);
});

test("what is stopped begins nothing more", async () => {
  const stop = new AbortController();
  let begun = 0;
  await runMany(Array(20).fill({}), async () => ++begun === 4 && stop.abort(), () => {}, stop.signal);
  equal(begun, 4);
});
