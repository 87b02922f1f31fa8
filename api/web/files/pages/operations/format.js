import { locale } from "../../core/words.js";

/** A duration in a table or a figure, such as 235 ms or 1.2 min. */
export function formatSpan(seconds) {
  const [value, unit] = seconds < 1 ? [seconds * 1000, "millisecond"] : seconds < 90 ? [seconds, "second"] : seconds < 5400 ? [seconds / 60, "minute"] : seconds < 129600 ? [seconds / 3600, "hour"] : [seconds / 86400, "day"];
  return new Intl.NumberFormat(locale.value, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: value < 10 ? 1 : 0 }).format(value);
}
