import { equal, test } from "/testing.js";
import { differenceOf, histogramOf, parseMetrics, quantileOf, sumOf } from "./prometheus.js";

const text = `# HELP a_total Something.
# TYPE a_total counter
a_total{route="/x",status="200"} 3.0
a_total{route="/x \\"q\\" {a,b} \\\\ \\n",status="429"} 2 1700000000000
plain 1.5e3
h_bucket{le="0.1"} 2
h_bucket{le="1"} 6
h_bucket{le="+Inf"} 8
h_sum 9
nothing
broken{a="b" 3
odd{a} 3
none NaN
`;

test("samples have names, labels with everything escaped, and values", () => {
  const samples = parseMetrics(text);
  equal(samples.length, 8);
  equal(samples[1], { name: "a_total", labels: { route: '/x "q" {a,b} \\ \n', status: "429" }, value: 2 });
  equal(sumOf(samples, "a_total"), 5);
  equal(sumOf(samples, "a_total", { status: "429" }), 2);
  equal(sumOf(samples, "plain"), 1500);
  equal(sumOf(samples, "absent"), 0);
});

test("a quantile lies inside its bucket, and never beyond the last bound", () => {
  const histogram = histogramOf(parseMetrics(text), "h");
  equal(histogram[0], [0.1, 2]);
  equal(quantileOf(histogram, 0.5), 0.1 + (0.9 * 2) / 4);
  equal(quantileOf(histogram, 0.25), 0.1);
  equal(quantileOf(histogram, 0.99), 1);
  equal(quantileOf([], 0.5), null);
  equal(quantileOf([[1, 0], [Infinity, 0]], 0.5), null);
});

test("quantiles grow with their share, for any histogram", () => {
  for (let turn = 0; turn < 200; turn++) {
    let count = 0;
    const histogram = [0.1, 0.5, 2, 8, Infinity].map((bound) => [bound, (count += Math.floor(Math.random() * 5))]);
    if (!count) continue;
    const values = [0.01, 0.1, 0.5, 0.9, 0.99, 1].map((share) => quantileOf(histogram, share));
    equal(values, [...values].sort((a, b) => a - b));
  }
});

test("what was observed between two looks; a process that has started again begins anew", () => {
  equal(differenceOf([[1, 5], [Infinity, 9]], [[1, 2], [Infinity, 4]]), [[1, 3], [Infinity, 5]]);
  equal(differenceOf([[1, 1], [Infinity, 1]], [[1, 2], [Infinity, 4]]), [[1, 1], [Infinity, 1]]);
});
