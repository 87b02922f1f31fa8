// The text that /metrics gives, as numbers.

/** @typedef {{name: string, labels: Record<string, string>, value: number}} Sample */

/** Samples of the Prometheus text exposition format; comments and what is no sample are left out. @param {string} text @returns {Sample[]} */
export function parseMetrics(text) {
  return text.split("\n").map(parseLine).filter(Boolean);
}

function parseLine(line) {
  if (!line || line[0] === "#") return null;
  const open = line.indexOf("{");
  const space = line.indexOf(" ");
  if (open < 0 || (space >= 0 && space < open)) return space < 0 ? null : makeSample(line.slice(0, space), {}, line.slice(space + 1));
  const labels = {};
  let at = open + 1;
  while (at < line.length && line[at] !== "}") {
    const equals = line.indexOf('="', at);
    if (equals < 0) return null;
    const name = line.slice(at, equals).replace(/^[,\s]+/, "");
    let value = "";
    for (at = equals + 2; at < line.length && line[at] !== '"'; at++) {
      if (line[at] === "\\") {
        at += 1;
        value += line[at] === "n" ? "\n" : (line[at] ?? "");
      } else value += line[at];
    }
    labels[name] = value;
    at += 1; // the closing quote
  }
  return at < line.length ? makeSample(line.slice(0, open), labels, line.slice(at + 1).trimStart()) : null;
}

function makeSample(name, labels, rest) {
  const text = rest.split(" ")[0];
  const value = text === "+Inf" ? Infinity : text === "-Inf" ? -Infinity : Number(text);
  return text === "" || (Number.isNaN(value) && text !== "NaN") ? null : { name, labels, value };
}

/** The sum of a metric's series with these labels; 0 without any. @param {Sample[]} samples */
export function sumOf(samples, name, labels = {}) {
  return samples.filter((each) => each.name === name && Object.entries(labels).every(([key, value]) => each.labels[key] === value)).reduce((sum, each) => sum + each.value, 0);
}

/**
 * A histogram summed over its series: counts of observations up to each bound, which grow, in order of the bounds.
 * @param {Sample[]} samples @param {string} name without _bucket @returns {[bound: number, count: number][]}
 */
export function histogramOf(samples, name) {
  const counts = new Map();
  for (const { name: given, labels, value } of samples) {
    if (given === `${name}_bucket`) {
      const bound = labels.le === "+Inf" ? Infinity : Number(labels.le);
      counts.set(bound, (counts.get(bound) ?? 0) + value);
    }
  }
  return [...counts].sort(([a], [b]) => a - b);
}

/** What was observed since an earlier histogram; all of the later one when the process has started again between. */
export function differenceOf(later, earlier) {
  const before = new Map(earlier);
  const difference = later.map(([bound, count]) => [bound, count - (before.get(bound) ?? 0)]);
  return difference.some(([, count]) => count < 0) ? later : difference;
}

/** The value that this share of the observations stays within, interpolated inside its bucket; null without observations. */
export function quantileOf(histogram, share) {
  const total = histogram.at(-1)?.[1] ?? 0;
  if (!total) return null;
  let lower = 0;
  let below = 0;
  for (const [bound, count] of histogram) {
    if (count >= share * total) {
      if (bound === Infinity) return lower;
      return count === below ? bound : lower + ((bound - lower) * (share * total - below)) / (count - below);
    }
    [lower, below] = [bound, count];
  }
  return lower;
}
