// Axes of charts: where their marks stand, at round values. Pure.

const DAY_S = 86400;
const TIME_STEPS = [5, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];
const DAY_STEPS = [1, 2, 7, 14, 28].map((days) => days * DAY_S);

/**
 * Marks from 0 to at least `most`, at most five, at steps of 1, 2 or 5 times a power of ten.
 * @param {number} most @param {boolean} isWhole what is counted has no halves @returns {number[]}
 */
export function marksOf(most, isWhole) {
  const rough = Math.max(most || 1, isWhole ? 1 : 0) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  let step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= rough * 0.999);
  if (isWhole) step = Math.max(1, step);
  const count = Math.max(1, Math.ceil((most || 1) / step - 1e-9));
  return Array.from({ length: count + 1 }, (_, index) => Number((index * step).toPrecision(12)));
}

/**
 * Times to name on the axis, at round steps, at most `count`.
 * @param {number} from in seconds @param {number} to @param {number} count @param {boolean} isByDay from the first day on @returns {number[]}
 */
export function timesOf(from, to, count, isByDay) {
  const steps = isByDay ? DAY_STEPS : TIME_STEPS;
  const step = steps.find((each) => (to - from) / each <= count) ?? steps.at(-1);
  const first = isByDay ? from : Math.ceil(from / step) * step;
  return Array.from({ length: Math.max(0, Math.floor((to - first) / step) + 1) }, (_, index) => first + index * step);
}

/** The path through the points that have a value; one without any neighbour is a dot of no length. */
export function pathOf(values, xOf, yOf) {
  return values.flatMap((value, index) => (value === null ? [] : [`${xOf(index).toFixed(1)} ${yOf(value).toFixed(1)}`])).map((point, index, all) => `${index ? "L" : "M"}${point}${all.length === 1 ? "h0" : ""}`).join("");
}
