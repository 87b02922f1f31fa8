import { equal, test } from "/testing.js";
import { errorsByField, NEW_PLAN, planOf, selectorOf, selectorText } from "./stage_plan.js";

test("exactly one part is asked for, whatever else was typed before", () => {
  const typed = { ...NEW_PLAN, share: "0.2", workers: "chat, api", tenants: "acme" };
  const parts = ["share", "workers", "tenants"].map((part) => planOf({ ...typed, part }));
  equal(parts.map(({ share, workers, tenants }) => [share, workers, tenants]), [[0.2, [], []], [null, ["chat", "api"], []], [null, [], ["acme"]]]);
  equal(planOf({ ...typed, part: "share", share: "half" }).share, "half");
});

test("a guard with the limits that were given, and its metrics as Prometheus writes them", () => {
  equal([planOf(NEW_PLAN).guard, planOf({ ...NEW_PLAN, promote_after_s: "60" }).promote_after_s], [null, 60]);
  const { guard } = planOf({ ...NEW_PLAN, guarded: true, metric: 'a_seconds{agent="generate"}', threshold: "0" });
  equal(guard, { metric: { name: "a_seconds", labels: { agent: "generate" } }, per: null, worse: "higher", threshold: 0, worsening: null, baseline: "unstaged", window_s: 300, observations_min: 30 });
});

test("a metric is read as it is written; what is none is a name", () => {
  for (const selector of [{ name: "up", labels: {} }, { name: "x", labels: { a: "1", b: "y, z" } }]) equal(selectorOf(selectorText(selector)), selector);
  for (const text of ['x{a="1" b="2"}', "x{a=1}", "x{", "x{a"]) equal(selectorOf(` ${text} `), { name: text, labels: {} });
  equal(selectorOf("x{}"), { name: "x", labels: {} });
});

test("errors by field", () => {
  const errors = [{ field: "body.share", detail: "too much" }, { field: "workers[1]", detail: "unknown" }, { field: "guard.metric.name", detail: "none" }];
  equal(errorsByField({ errors }), { share: "too much", workers: "unknown", "guard.metric.name": "none" });
  equal(errorsByField(null), {});
});
