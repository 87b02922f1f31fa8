// The set of rate rules, as GET /rate-limits/rules gives it and PUT takes it. Pure.

export const SCOPES = ["global", "anonymous", "address", "user", "key", "route"];
export const COUNTS = ["requests", "model_tokens", "embedding_tokens"];
export const TIERS = ["", "free", "pro", "enterprise"];
export const WHEN_DOWN = ["local", "open", "closed"];

/** A new rule with the defaults of the API. */
export const NEW_RULE = { name: "", rate: 60, per_s: 60, burst: 120, scope: "user", ipv6_prefix: 64, route: "", exclusive: false, tier: "", counts: "requests", shadow: false, when_down: "local" };

/** The rules with one replaced, by the name it had, or added at the end. */
export function withRule(rules, rule, name) {
  const index = rules.findIndex((each) => each.name === name);
  return index < 0 ? [...rules, rule] : rules.with(index, rule);
}

/** A rule of what a form holds, whose values are texts. */
export function ruleOf(form) {
  return {
    ...form,
    rate: Number(form.rate),
    per_s: Number(form.per_s),
    burst: form.burst === "" ? null : Number(form.burst),
    ipv6_prefix: Number(form.ipv6_prefix),
    route: form.scope === "route" ? form.route : "",
    exclusive: form.scope === "route" && form.exclusive,
  };
}

/** The errors of one rule by its field: the API names them by the rule's place, such as rules[3].rate. */
export function errorsOf(problem, index) {
  const found = {};
  for (const { field, detail } of problem?.errors ?? []) {
    const [, place, name] = /rules(?:\[|\.)(\d+)\]?\.?(\w*)/.exec(field) ?? [];
    if (Number(place) === index) found[name || "name"] = detail;
  }
  return found;
}
