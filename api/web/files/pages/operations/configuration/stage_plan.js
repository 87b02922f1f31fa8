// A staged change: what its form holds, and what POST /configs/{key}/stage takes. Pure.

export const PARTS = ["everywhere", "share", "workers", "tenants"];
export const WORSE = ["higher", "lower"];
export const BASELINES = ["unstaged", "before"];

/** What the form holds before anybody typed: texts, with the defaults of the API. */
export const NEW_PLAN = { part: "everywhere", share: "0.5", workers: "", tenants: "", promote_after_s: "", guarded: false, metric: "", per: "", worse: "higher", threshold: "", worsening: "", baseline: "unstaged", window_s: "300", observations_min: "30" };

/** The body of the request, without value and reason. @param {typeof NEW_PLAN} form */
export function planOf(form) {
  return {
    share: form.part === "share" ? numberOf(form.share) : null,
    workers: form.part === "workers" ? namesOf(form.workers) : [],
    tenants: form.part === "tenants" ? namesOf(form.tenants) : [],
    promote_after_s: numberOf(form.promote_after_s),
    guard: form.guarded ? guardOf(form) : null,
  };
}

function guardOf(form) {
  return {
    metric: selectorOf(form.metric),
    per: form.per.trim() ? selectorOf(form.per) : null,
    worse: form.worse,
    threshold: numberOf(form.threshold),
    worsening: numberOf(form.worsening),
    baseline: form.baseline,
    window_s: numberOf(form.window_s),
    observations_min: numberOf(form.observations_min),
  };
}

/** A number; null for nothing. What is no number stays a text: the API says what it expects. */
export function numberOf(text) {
  if (text.trim() === "") return null;
  return Number.isNaN(Number(text)) ? text : Number(text);
}

/** Names with commas or spaces between. */
export function namesOf(text) {
  return text.split(/[\s,，、]+/).filter(Boolean);
}

/**
 * A metric as Prometheus writes it, such as `claw_agent_step_seconds{agent="generate"}`. What is not written so is all name, which the API
 * does not find.
 * @returns {{name: string, labels: Record<string, string>}}
 */
export function selectorOf(text) {
  const [, name, inside] = /^([^{]*)\{([^]*)\}$/.exec(text.trim()) ?? [];
  if (name === undefined) return { name: text.trim(), labels: {} };
  const labels = {};
  const pair = /\s*(\w+)\s*=\s*"([^"]*)"\s*(?:,|$)/y;
  while (pair.lastIndex < inside.length) {
    const found = pair.exec(inside);
    if (!found) return { name: text.trim(), labels: {} };
    labels[found[1]] = found[2];
  }
  return { name: name.trim(), labels };
}

/** The same, as text. @param {{name: string, labels?: Record<string, string>}} selector */
export function selectorText({ name, labels = {} }) {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  return pairs.length ? `${name}{${pairs.join(", ")}}` : name;
}

/** The errors of a problem by field, those of entries of a list by the list. @returns {Record<string, string>} */
export function errorsByField(problem) {
  const found = {};
  for (const { field, detail } of problem?.errors ?? []) found[field.replace(/^body\./, "").replace(/(?:\[\d+\]|\.\d+)$/, "")] ??= detail;
  return found;
}
