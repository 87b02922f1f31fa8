import { html, useEffect, useRef, useState } from "../../../core/html.js";
import { formatNumber, locale } from "../../../core/words.js";
import { t } from "../words.js";
import { marksOf, pathOf, timesOf } from "./chart_scale.js";

const [HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [180, 56, 28, 10, 22];
const COLOURS = ["accent", "warning", "good", "danger"];
const SPAN_S_MIN = 120; // so that the first points do not stretch over everything
const DAY_S = 86400;

/**
 * Lines or bars over time, with both axes. The newest value of each series stands above it.
 * @param {{title: string, unit: string, times: number[], series: {label: string, values: (number | null)[]}[], kind?: "line" | "bar",
 *   digits?: number, days?: boolean}} props `times` in seconds since 1970, one for each value; `days`: each is a day
 */
export function Chart({ title, unit, times, series, kind = "line", digits = 0, days = false }) {
  const box = useRef(null);
  const width = useWidth(box);
  const newest = series.map(({ values }) => values.findLast((value) => value !== null) ?? null);
  const said = series.map(({ label }, index) => `${label} ${numberOf(newest[index], digits)} ${unit}`).join(", ");
  return html`<figure class="card chart">
    <figcaption>
      <h3>${title} <span class="minor">${unit}</span></h3>
      <p class="legend">${series.map(({ label }, index) => html`<span key=${label} class=${`series ${COLOURS[index]}`}><i aria-hidden="true"></i>${label} <strong>${numberOf(newest[index], digits)}</strong></span>`)}</p>
    </figcaption>
    <div class="plot" ref=${box} role="img" aria-label=${`${title}: ${said}`}>
      ${newest.every((value) => value === null) ? html`<p class="minor">${t("no_values_yet")}</p>` : width > 0 && html`<${Plot} width=${width} unit=${unit} times=${times} series=${series} kind=${kind} digits=${digits} days=${days} />`}
    </div>
  </figure>`;
}

function numberOf(value, digits) {
  return value === null ? "–" : formatNumber(value, digits);
}

function Plot({ width, unit, times, series, kind, digits, days }) {
  const room = kind === "bar" ? DAY_S / 2 : 0; // beside the first and the last bar
  const to = times.at(-1) + room;
  const from = Math.min(times[0] - room, to - (days ? DAY_S : SPAN_S_MIN));
  const marks = marksOf(Math.max(0, ...series.flatMap(({ values }) => values)), digits === 0);
  const xAt = (time) => LEFT + ((time - from) / (to - from)) * (width - LEFT - RIGHT);
  const yAt = (value) => HEIGHT - BOTTOM - (value / marks.at(-1)) * (HEIGHT - TOP - BOTTOM);
  const format = new Intl.DateTimeFormat(locale.value, days ? { month: "numeric", day: "numeric" } : { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  const thick = Math.max(1, ((width - LEFT - RIGHT) / ((to - from) / DAY_S)) * 0.6);
  return html`<svg width=${width} height=${HEIGHT} aria-hidden="true">
    ${marks.map((mark) => html`<g key=${`y${mark}`}><path class="grid" d=${`M${LEFT} ${yAt(mark)}H${width - RIGHT}`} /><text x=${LEFT - 8} y=${yAt(mark) + 4} text-anchor="end">${formatNumber(mark, 6)}</text></g>`)}
    ${timesOf(from + room, to, Math.max(2, Math.floor((width - LEFT) / 90)), days).map((time) => html`<text key=${`x${time}`} x=${xAt(time)} y=${HEIGHT - 4} text-anchor="middle">${format.format(time * 1000)}</text>`)}
    <text class="unit" x="12" y=${(HEIGHT - BOTTOM) / 2} text-anchor="middle" transform=${`rotate(-90 12 ${(HEIGHT - BOTTOM) / 2})`}>${unit}</text>
    ${series.map(({ label, values }, index) =>
      kind === "bar"
        ? values.map((value, at) => html`<rect key=${`${label} ${at}`} class=${`bar ${COLOURS[index]}`} x=${xAt(times[at]) - thick / 2} y=${yAt(value ?? 0)} width=${thick} height=${HEIGHT - BOTTOM - yAt(value ?? 0)} />`)
        : html`<path key=${label} class=${`line ${COLOURS[index]}`} d=${pathOf(values, (at) => xAt(times[at]), yAt)} />`,
    )}
  </svg>`;
}

/** The width of an element, as it is now. */
function useWidth(box) {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const resized = new ResizeObserver(() => setWidth(box.current?.clientWidth ?? 0));
    resized.observe(box.current);
    return () => resized.disconnect();
  }, []);
  return width;
}
