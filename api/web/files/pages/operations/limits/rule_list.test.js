import { equal, test } from "/testing.js";
import { errorsOf, NEW_RULE, ruleOf, withRule } from "./rule_list.js";

const rules = [{ ...NEW_RULE, name: "a" }, { ...NEW_RULE, name: "b" }];

test("a rule is replaced in its place, also under a new name, or comes last", () => {
  equal(withRule(rules, { ...NEW_RULE, name: "c" }, "a").map((rule) => rule.name), ["c", "b"]);
  equal(withRule(rules, { ...NEW_RULE, name: "c" }, "").map((rule) => rule.name), ["a", "b", "c"]);
});

test("texts of a form become numbers; an empty burst is left to the API", () => {
  const rule = ruleOf({ ...NEW_RULE, name: "a", rate: "5", per_s: "1.5", burst: "", route: "/x", exclusive: true });
  equal([rule.rate, rule.per_s, rule.burst, rule.route, rule.exclusive], [5, 1.5, null, "", false]);
});

test("errors belong to the rule that the API names", () => {
  const problem = { errors: [{ field: "rules[1].rate", detail: "too small" }, { field: "rules.0.name", detail: "taken" }] };
  equal([errorsOf(problem, 1), errorsOf(problem, 0)], [{ rate: "too small" }, { name: "taken" }]);
});
