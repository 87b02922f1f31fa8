import { equal, test } from "/testing.js";
import { mergeTask } from "./live_tasks.js";

const taskOf = (id, created_at, state = "STARTED", kind = "rebuild") => ({ id, created_at, state, kind });
const idsOf = (tasks) => tasks.map(({ id }) => id);
const listed = [taskOf("c", "3"), taskOf("a", "1")];

test("a task that changed stays in its place, a new one comes to the top", () => {
  equal(mergeTask(listed, taskOf("a", "1", "SUCCESS"), {})[1].state, "SUCCESS");
  equal(idsOf(mergeTask(listed, taskOf("d", "4"), {})), ["d", "c", "a"]);
  equal(idsOf(mergeTask([], taskOf("d", "4"), {})), ["d"]);
});

test("an older one that is not listed belongs to a later page", () => equal(idsOf(mergeTask(listed, taskOf("b", "2"), {})), ["c", "a"]));

test("what the filter excludes leaves the list, or never comes", () => {
  equal(idsOf(mergeTask(listed, taskOf("c", "3", "SUCCESS"), { state: "STARTED" })), ["a"]);
  equal(idsOf(mergeTask(listed, taskOf("d", "4", "STARTED", "redrive"), { kind: "rebuild" })), ["c", "a"]);
});
