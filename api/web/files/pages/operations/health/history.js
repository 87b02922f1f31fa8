// What the health page keeps of what it has seen: one sample per look, for half an hour.
import { differenceOf, histogramOf, quantileOf, sumOf } from "./prometheus.js";

const KEPT = 360; // looks, every five seconds
const WINDOW_S = 60; // of the time to first token

/**
 * The samples with another one.
 * @param {object[]} kept the oldest first
 * @param {{readiness: {parts: Record<string, {lag?: number}>}, samples: import("./prometheus.js").Sample[] | null, at_s: number}} seen
 */
export function addSample(kept, { readiness, samples, at_s }) {
  const previous = kept.at(-1);
  if (previous && previous.at_s >= at_s) return kept;
  const lags = Object.fromEntries(Object.entries(readiness.parts).filter(([name]) => name.startsWith("lane.")).map(([name, part]) => [name.slice(5), part.state === "unknown" ? null : (part.lag ?? 0)]));
  const sample = { at_s, lags, median_s: null, p95_s: null, requests_per_s: null, refused_per_s: null };
  if (samples) {
    sample.histogram = histogramOf(samples, "claw_reply_first_token_seconds");
    sample.requests = sumOf(samples, "claw_http_requests_total");
    sample.refused = sumOf(samples, "claw_http_requests_total", { status: "429" });
    const before = kept.findLast((each) => each.histogram && at_s - each.at_s >= WINDOW_S) ?? kept.find((each) => each.histogram);
    if (before) {
      const recent = differenceOf(sample.histogram, before.histogram);
      sample.median_s = quantileOf(recent, 0.5);
      sample.p95_s = quantileOf(recent, 0.95);
    }
    if (previous?.requests !== undefined && sample.requests >= previous.requests) {
      const seconds = at_s - previous.at_s;
      sample.refused_per_s = (sample.refused - previous.refused) / seconds;
      sample.requests_per_s = (sample.requests - previous.requests) / seconds - sample.refused_per_s;
    }
  }
  return [...kept.slice(1 - KEPT), sample];
}
