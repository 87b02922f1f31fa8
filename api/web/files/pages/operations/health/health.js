// Health: the picture of the pipeline, the figures that matter, and how they went while the page was open and by day.
import { html, useEffect, useMemo, useRef, useState } from "../../../core/html.js";
import { call, query, send } from "../../../core/http.js";
import { useResource } from "../../../core/resource.js";
import { hasRole } from "../../../core/session.js";
import { formatBytes, formatNumber, locale } from "../../../core/words.js";
import { Loading } from "../../../components/loading.js";
import { ProblemNote } from "../../../components/problem_note.js";
import { Figure, Figures } from "../figure.js";
import { formatSpan } from "../format.js";
import { usePolled } from "../polling.js";
import { Table } from "../table.js";
import { t } from "../words.js";
import { Chart } from "./chart.js";
import { addSample } from "./history.js";
import { Pipeline, TONES, partName } from "./pipeline.js";
import { histogramOf, parseMetrics, quantileOf } from "./prometheus.js";

const LOOK_MS = 5000; // readiness, workers, metrics
const SLOW_LOOK_MS = 20000; // what changes slowly, or costs more
const MICROS = 1e6;

export default function Health() {
  const isOperator = hasRole("operator");
  const now = usePolled((signal) => readNow(signal, isOperator), LOOK_MS, []);
  const slow = usePolled((signal) => readSlow(signal, isOperator), SLOW_LOOK_MS, []);
  const days = useResource((signal) => call("GET", `/usage/statistics${query({ by: "day", all: isOperator || "" })}`, { signal }), []);
  const history = useHistory(now.data);
  const isNarrow = useNarrow();
  if (!now.data) return now.problem ? html`<${ProblemNote} problem=${now.problem} retry=${now.reload} />` : html`<${Loading} />`;
  const { readiness, workers, samples } = now.data;
  return html`
    <header class="row wrap">
      <h1>${t("section_health")}</h1>
      <span class=${`badge ${{ ready: "good", degraded: "warning", down: "danger" }[readiness.status]}`} role="status">${t(`readiness_${readiness.status}`)}</span>
      <span class="stretch"></span>
      <span class="minor">${t("seen_at", { time: now.at.toLocaleTimeString(locale.value) })}</span>
    </header>
    ${now.problem && html`<${ProblemNote} problem=${now.problem} retry=${now.reload} />`}
    ${[...readiness.down, ...(readiness.degraded ?? [])].map(
      (name) => html`<p key=${name} class=${`notice ${TONES[readiness.parts[name].state]}`}><strong>${partName(name)}</strong> ${t(`state_${readiness.parts[name].state}`)}${readiness.parts[name].detail ? ` · ${readiness.parts[name].detail}` : ""}</p>`,
    )}
    <section class="card" aria-label=${t("pipeline")}><${Pipeline} parts=${readiness.parts} isNarrow=${isNarrow} /></section>
    <${NowFigures} readiness=${readiness} samples=${samples} slow=${slow.data} today=${days.data?.items.at(-1)} />
    <div class="charts">
      <${Chart} title=${t("chart_lag")} unit=${t("unit_records")} times=${history.times} series=${history.lags.map(({ name, values }) => ({ label: partName(`lane.${name}`), values }))} />
      ${samples && html`<${Chart} title=${t("chart_first_token")} unit=${t("unit_seconds")} digits=${2} times=${history.times} series=${[{ label: t("median"), values: history.medians }, { label: t("p95"), values: history.p95s }]} />`}
      ${samples && html`<${Chart} title=${t("chart_requests")} unit=${t("unit_per_second")} digits=${1} times=${history.times} series=${[{ label: t("answered_requests"), values: history.requests }, { label: t("refused_requests"), values: history.refused }]} />`}
      ${days.data && html`<${DayCharts} statistics=${days.data} />`}
    </div>
    ${workers && html`<section class="stack"><h2>${t("workers")}</h2><${Groups} groups=${workers.groups} /></section>`}
    ${slow.data && html`<section class="stack"><h2>${t("cache")}</h2><${Cache} items=${slow.data.cache.items} /></section>`}`;
}

async function readNow(signal, isOperator) {
  const [readiness, workers, text] = await Promise.all([
    call("GET", "/readyz", { signal }).catch((problem) => {
      if (problem.parts) return problem; // 503 with what is down
      throw problem;
    }),
    isOperator ? call("GET", "/tasks/workers", { signal }).catch(() => null) : null, // unknown while Redis is down
    isOperator ? send("GET", "/metrics", { signal }).then((answer) => answer.text()) : null,
  ]);
  return { readiness, workers, samples: text === null ? null : parseMetrics(text), at_s: Math.round(Date.now() / 1000) };
}

async function readSlow(signal, isOperator) {
  const [cache, monitor] = await Promise.all([call("GET", "/cache/stats", { signal }), isOperator ? call("GET", "/rate-limits/monitor?window=hour&top=100", { signal }) : null]);
  return { cache, monitor };
}

/** What the page has seen since it was opened, as columns for the charts. */
function useHistory(data) {
  const kept = useRef([]);
  return useMemo(() => {
    if (data) kept.current = addSample(kept.current, data);
    const of = (name) => kept.current.map((sample) => sample[name]);
    const groups = kept.current.length ? Object.keys(kept.current[0].lags) : [];
    return {
      times: of("at_s"),
      lags: groups.map((name) => ({ name, values: kept.current.map((sample) => sample.lags[name] ?? null) })),
      medians: of("median_s"),
      p95s: of("p95_s"),
      requests: of("requests_per_s"),
      refused: of("refused_per_s"),
    };
  }, [data]);
}

function useNarrow() {
  const narrow = matchMedia("(max-width: 44rem)");
  const [isNarrow, setNarrow] = useState(narrow.matches);
  useEffect(() => {
    const read = () => setNarrow(narrow.matches);
    narrow.addEventListener("change", read);
    return () => narrow.removeEventListener("change", read);
  }, []);
  return isNarrow;
}

function NowFigures({ readiness, samples, slow, today }) {
  const lag = Object.values(readiness.parts).reduce((sum, part) => sum + (part.lag ?? 0), 0);
  const firstToken = samples && histogramOf(samples, "claw_reply_first_token_seconds");
  const median = firstToken && quantileOf(firstToken, 0.5);
  const rate = slow && hitRateOf(slow.cache.items);
  const refused = slow?.monitor?.counts.tier?.reduce((sum, count) => sum + count.refused, 0);
  return html`<${Figures}>
    ${samples && html`<${Figure} label=${t("first_token")} value=${median === null ? null : formatSpan(median)} of=${median === null ? t("no_answers_yet") : t("first_token_of", { p95: formatSpan(quantileOf(firstToken, 0.95)), count: formatNumber(firstToken.at(-1)[1]) })} />`}
    <${Figure} label=${t("lag")} value=${formatNumber(lag)} unit=${t("unit_records")} of=${t("lag_all")} state=${lag > 1000 ? "warning" : ""} />
    <${Figure} label=${t("answers_today")} value=${today ? formatNumber(today.counts.questions) : null} of=${today ? t("answers_today_of", { found: formatNumber(today.counts.answered), failed: formatNumber(today.counts.failed) }) : ""} />
    <${Figure} label=${t("cost_today")} value=${today ? formatNumber(today.counts.cost_micros / MICROS, 2) : null} of=${today ? t("cost_of", { tokens: formatNumber(today.counts.prompt_tokens + today.counts.completion_tokens) }) : ""} />
    <${Figure} label=${t("cache_hits")} value=${rate === null || rate === undefined ? null : formatNumber(rate * 100, 0)} unit="%" of=${t("last_24_hours")} />
    ${slow?.monitor && html`<${Figure} label=${t("refusals")} value=${formatNumber(refused ?? 0)} of=${t("last_hour")} state=${refused ? "warning" : ""} />`}
  </${Figures}>`;
}

/** The share of look-ups without a computation, of what has entries of its own; null before the first. */
function hitRateOf(items) {
  const sum = (read) => items.filter((item) => item.entries !== null).reduce((total, item) => total + read(item), 0);
  const saved = sum((item) => item.hit + item.shared);
  const lookups = saved + sum((item) => item.miss);
  return lookups ? saved / lookups : null;
}

function DayCharts({ statistics }) {
  const { times, questions, notFound, failed, cost } = useMemo(() => {
    const of = (read) => statistics.items.map((item) => read(item.counts));
    return {
      times: statistics.items.map((item) => Date.parse(`${item.start}T00:00:00`) / 1000),
      questions: of((counts) => counts.questions),
      notFound: of((counts) => counts.not_found),
      failed: of((counts) => counts.failed),
      cost: of((counts) => counts.cost_micros / MICROS),
    };
  }, [statistics]);
  const series = useMemo(() => [{ label: t("questions"), values: questions }, { label: t("not_found"), values: notFound }, { label: t("failed"), values: failed }], [statistics, t("questions")]);
  const costs = useMemo(() => [{ label: t("cost"), values: cost }], [statistics, t("cost")]);
  return html`
    <${Chart} title=${t("chart_questions")} unit=${t("unit_per_day")} days kind="line" times=${times} series=${series} />
    <${Chart} title=${t("chart_cost")} unit=${t("unit_cost_per_day")} digits=${2} days kind="bar" times=${times} series=${costs} />`;
}

function Groups({ groups }) {
  const columns = [
    { name: "group", label: t("worker_group"), show: (group) => html`<strong>${partName(`lane.${group.name}`)}</strong>` },
    { name: "workers", label: t("workers"), show: (group) => group.workers.map((worker) => html`<span key=${worker.id} class=${`badge ${worker.state === "up" ? "good" : worker.state === "starting" ? "warning" : "danger"}`} title=${worker.problems.join("; ") || worker.id}>${t(`worker_${worker.state}`)}</span> `) },
    { name: "partitions", label: t("partitions"), kind: "number", show: (group) => `${group.assigned} / ${group.partitions}` },
    { name: "lag", label: t("lag"), kind: "number", show: (group) => formatNumber(group.lag) },
    { name: "in_flight", label: t("in_flight"), kind: "number", show: (group) => formatNumber(group.in_flight) },
    { name: "rate", label: t("events_per_second"), kind: "number", show: (group) => formatNumber(Object.values(group.rates).reduce((sum, rate) => sum + rate, 0), 1) },
    { name: "oldest", label: t("oldest"), kind: "number", show: (group) => formatSpan(Math.max(0, ...group.workers.map((worker) => worker.oldest_age_s))) },
    { name: "memory", label: t("memory"), kind: "number", show: (group) => formatBytes(group.memory_bytes) },
  ];
  return html`<${Table} label=${t("workers")} columns=${columns} rows=${groups} keyOf=${(group) => group.name} />
    <details><summary>${t("lag_by_topic")}</summary>
      <${Table} label=${t("lag_by_topic")} keyOf=${(row) => row.topic} rows=${groups.flatMap((group) => Object.entries(group.lags).map(([topic, lag]) => ({ topic, lag, group: group.name })))} columns=${[
        { name: "topic", label: t("topic"), show: (row) => html`<code>${row.topic}</code>` },
        { name: "group", label: t("worker_group"), show: (row) => partName(`lane.${row.group}`) },
        { name: "lag", label: t("lag"), kind: "number", show: (row) => formatNumber(row.lag) },
      ]} />
    </details>`;
}

function Cache({ items }) {
  const columns = [
    { name: "scenario", label: t("scenario"), show: (item) => html`<code>${item.name}</code>` },
    { name: "rate", label: t("cache_hits"), kind: "number", show: (item) => (item.hit_rate === null ? "–" : `${formatNumber(item.hit_rate * 100, 1)} %`) },
    { name: "hit", label: t("hits"), kind: "number", show: (item) => formatNumber(item.hit) },
    { name: "miss", label: t("misses"), kind: "number", show: (item) => formatNumber(item.miss) },
    { name: "entries", label: t("entries"), kind: "number", show: (item) => (item.entries === null ? t("record_table") : formatNumber(item.entries)) },
  ];
  return html`<${Table} label=${t("cache")} columns=${columns} rows=${items} keyOf=${(item) => item.name} />`;
}
