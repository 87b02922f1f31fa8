import { html, useEffect, useRef, useState } from "../../../core/html.js";
import { loadStyle } from "../../../core/router.js";
import { theme } from "../../../core/theme.js";
import { formatNumber, locale } from "../../../core/words.js";
import { t } from "../words.js";

const HEIGHT = 180;
const WHOLE = Array.from({ length: 12 }, (_, power) => [1, 2, 5].map((step) => step * 10 ** power)).flat(); // steps of what is counted
const COLOURS = ["--accent", "--warning", "--good", "--danger"];

/**
 * Lines or bars over time, with both axes. The newest value of each series stands above it.
 * @param {{title: string, unit: string, times: number[], series: {label: string, values: (number | null)[]}[], kind?: "line" | "bar",
 *   digits?: number, days?: boolean}} props `times` in seconds since 1970, one for each value; `days`: each is a day
 */
export function Chart({ title, unit, times, series, kind = "line", digits = 0, days = false }) {
  const box = useRef(null);
  const plot = useRef(null);
  const [Plot, setPlot] = useState(null);
  const look = `${theme.value} ${useScheme()} ${locale.value}`;
  const newest = series.map(({ values }) => values.findLast((value) => value !== null) ?? null);
  const isShown = newest.some((value) => value !== null);
  useEffect(() => {
    Promise.all([import("../../../vendor/uplot.js"), loadStyle("vendor/uplot.css")]).then(([module]) => setPlot(() => module.default));
  }, []);
  useEffect(() => {
    if (!Plot || !isShown) return undefined;
    plot.current = new Plot(optionsOf({ box: box.current, unit, series, kind, digits, days, Plot }), [times, ...series.map((each) => each.values)], box.current);
    const resized = new ResizeObserver(() => plot.current?.setSize({ width: box.current.clientWidth, height: HEIGHT }));
    resized.observe(box.current);
    return () => {
      resized.disconnect();
      plot.current.destroy();
      plot.current = null;
    };
  }, [Plot, isShown, look, unit, series.map((each) => each.label).join()]);
  useEffect(() => plot.current?.setData([times, ...series.map((each) => each.values)]), [times, series]);
  const said = series.map(({ label }, index) => `${label} ${numberOf(newest[index], digits)} ${unit}`).join(", ");
  return html`<figure class="card chart">
    <figcaption>
      <h3>${title} <span class="minor">${unit}</span></h3>
      <p class="legend">${series.map(({ label }, index) => html`<span key=${label} class=${`series ${COLOURS[index].slice(2)}`}><i aria-hidden="true"></i>${label} <strong>${numberOf(newest[index], digits)}</strong></span>`)}</p>
    </figcaption>
    <div class="plot" ref=${box} role="img" aria-label=${`${title}: ${said}`}>${!isShown && html`<p class="minor">${t("no_values_yet")}</p>`}</div>
  </figure>`;
}

function numberOf(value, digits) {
  return value === null ? "–" : formatNumber(value, digits);
}

function optionsOf({ box, unit, series, kind, digits, days, Plot }) {
  const style = getComputedStyle(box);
  const colour = (name) => style.getPropertyValue(name).trim();
  const font = `11px ${style.fontFamily}`;
  const axis = { stroke: colour("--text-minor"), font, labelFont: font, grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
  const format = new Intl.DateTimeFormat(locale.value, days ? { month: "numeric", day: "numeric" } : { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  return {
    width: box.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, points: { size: 6 }, drag: { x: false } },
    scales: { x: { range: (_plot, from, to) => rangeOf(from, to, days, kind) }, y: { range: (_plot, _from, to) => [0, to > 0 ? to * 1.15 : 1] } },
    axes: [
      { ...axis, size: 28, space: days ? 48 : 76, values: (_plot, splits) => splits.map((at) => format.format(at * 1000)), ...(days ? { incrs: [1, 2, 7, 14, 28].map((count) => count * 86400) } : {}) },
      { ...axis, size: 52, values: (_plot, splits) => splits.map((value) => formatNumber(value, 2)), label: unit, labelSize: 18, ...(digits ? {} : { incrs: WHOLE }) },
    ],
    series: [
      {},
      ...series.map(({ label }, index) => ({
        label,
        stroke: colour(COLOURS[index]),
        fill: kind === "bar" ? colour(COLOURS[index]) : undefined,
        width: kind === "bar" ? 0 : 2,
        spanGaps: true,
        points: { show: kind === "line" && ((plot) => plot.data[0].length < 2) },
        paths: kind === "bar" ? Plot.paths.bars({ size: [0.6, 36], radius: 0.15 }) : undefined,
      })),
    ],
  };
}

/** At least two minutes, so that the first points do not stretch over everything; bars have room at both ends. */
function rangeOf(from, to, days, kind) {
  const room = kind === "bar" ? 43200 : 0;
  return days ? [from - room, to + room] : [Math.min(from, to - 120), to];
}

/** "dark" or "light", as the system prefers now. */
function useScheme() {
  const [scheme, setScheme] = useState("");
  useEffect(() => {
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const read = () => setScheme(dark.matches ? "dark" : "light");
    read();
    dark.addEventListener("change", read);
    return () => dark.removeEventListener("change", read);
  }, []);
  return scheme;
}
