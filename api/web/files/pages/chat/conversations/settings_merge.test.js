import { changedSettings, mergeSettings } from "./settings_merge.js";
import { equal, test } from "/testing.js";

const before = { title: "a", type: "chat", mode: "grounded", model: "", system_prompt: "", knowledge_base_ids: ["1", "2"] };

test("only what was changed is sent; the order of bases is no change", () => {
  equal(changedSettings(before, { ...before, knowledge_base_ids: ["2", "1"] }), {});
  equal(changedSettings(before, { ...before, title: "b", knowledge_base_ids: [] }), { title: "b", knowledge_base_ids: [] });
});

test("changes of different fields are both kept", () => {
  const { merged, conflicts } = mergeSettings(before, { ...before, title: "theirs" }, { ...before, mode: "assistant" });
  equal([merged.title, merged.mode, conflicts], ["theirs", "assistant", []]);
});

test("a field that both changed is a conflict, unless they agree", () => {
  equal(mergeSettings(before, { ...before, title: "x" }, { ...before, title: "y" }).conflicts, ["title"]);
  equal(mergeSettings(before, { ...before, title: "x" }, { ...before, title: "x" }).conflicts, []);
});
