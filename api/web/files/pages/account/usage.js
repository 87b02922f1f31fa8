// What the account may use, and what it has used.
import { html, useState } from "../../core/html.js";
import { call, query } from "../../core/http.js";
import { useResource } from "../../core/resource.js";
import { formatBytes, formatDuration, formatNumber, locale } from "../../core/words.js";
import { Field } from "../../components/field.js";
import { Loading } from "../../components/loading.js";
import { ProblemNote } from "../../components/problem_note.js";
import { Panel } from "./panel.js";
import { t } from "./words.js";

const NEARLY = 0.8; // of a limit; from here on a bar warns
const WINDOWS = ["hour", "day", "month"];
const KINDS = ["quota", "budget", "cap", "rate"];

export default function Usage() {
  return html`<h1>${t("usage")}</h1><${LimitsPanel} /><${UsagePanel} />`;
}

function LimitsPanel() {
  const limits = useResource((signal) => call("GET", "/users/me/limits", { signal }), []);
  const items = limits.data?.items ?? [];
  return html`<${Panel} title=${t("limits")} text=${limits.data?.exempt ? t("limits_exempt") : t("limits_text")}>
    ${limits.problem && html`<${ProblemNote} problem=${limits.problem} retry=${limits.reload} />`}
    ${limits.loading && html`<${Loading} />`}
    ${limits.data && items.length === 0 && html`<p class="empty">${t("no_limits")}</p>`}
    <${LimitGroups} items=${items.filter((item) => item.scope === "account")} />
    ${items.some((item) => item.scope !== "account") && html`<details class="shared"><summary>${t("shared_limits")}</summary><${LimitGroups} items=${items.filter((item) => item.scope !== "account")} /></details>`}
  </${Panel}>`;
}

function LimitGroups({ items }) {
  return KINDS.map((kind) => ({ kind, some: items.filter((item) => item.kind === kind) }))
    .filter(({ some }) => some.length)
    .map(
      ({ kind, some }) => html`<div key=${kind} class="stack"><h3>${t(`kind_${kind}`)}</h3>
        <div class="limits">${some.map((limit) => html`<${LimitBar} key=${`${limit.name} ${limit.scope}`} limit=${limit} />`)}</div>
      </div>`,
    );
}

function LimitBar({ limit }) {
  const share = limit.limit ? Math.min(1, limit.used / limit.limit) : 1;
  const state = share >= 1 ? "full" : share >= NEARLY ? "nearly" : "";
  return html`<div class="limit">
    <p class="row"><span class="stretch">${nameOfLimit(limit)}</span><span class="number">${t("of", { used: formatAmount(limit.used, limit.unit), limit: formatAmount(limit.limit, limit.unit) })}</span></p>
    <meter class=${state} min="0" max="1" value=${share} aria-label=${nameOfLimit(limit)}></meter>
    ${limit.reset_s !== null && limit.used > 0 && html`<p class="minor">${t("free_again", { wait: formatDuration(limit.reset_s) })}</p>`}
  </div>`;
}

/** A limit by its name in the language where there is one: an installation may name rate rules of its own. */
function nameOfLimit({ name, kind, scope }) {
  const plain = name.replace(/_(free|pro|enterprise)(?=_|$)/, ""); // rules of each tier
  const names = kind === "rate" ? RATE_NAMES : CAP_NAMES;
  const known = names.includes(plain) ? t(`${kind === "rate" ? "rate" : "limit"}_${plain}`) : name;
  return scope === "account" || kind === "rate" ? known : `${known} (${t(`of_${scope}`)})`;
}

const CAP_NAMES = ["streams", "sockets", "uploads", "conversations", "knowledge_bases", "documents", "stored_bytes", "idempotency_bytes"];
const RATE_NAMES = ["global", "address", "user", "conversations", "messages", "knowledge", "completions", "embeddings", "tokens_minute", "tokens_day", "embedding_tokens"];

function formatAmount(value, unit) {
  if (unit === "bytes") return formatBytes(value);
  if (unit === "cost_micros") return formatNumber(value / 1e6, 2);
  return unit === "percent" ? `${formatNumber(value)} %` : formatNumber(value);
}

function UsagePanel() {
  const [window, setWindow] = useState("day");
  const usage = useResource((signal) => call("GET", `/users/me/usage${query({ window })}`, { signal }), [window]);
  const data = usage.data;
  return html`<${Panel} title=${t("used")} text=${t("used_text")} actions=${html`<${Field} kind="select" label=${t("window")} value=${window} onInput=${(event) => setWindow(event.target.value)}>
    ${WINDOWS.map((name) => html`<option key=${name} value=${name}>${t(`window_${name}`)}</option>`)}
  </${Field}>`}>
    ${usage.problem && html`<${ProblemNote} problem=${usage.problem} retry=${usage.reload} />`}
    ${usage.loading && !data && html`<${Loading} />`}
    ${data && html`<${Totals} total=${data.total} />
      ${data.items.length === 0 ? html`<p class="empty">${t("nothing_used")}</p>` : html`<${WindowTable} data=${data} />`}
      ${Object.keys(data.models).length > 0 && html`<${ModelTable} models=${data.models} />`}`}
  </${Panel}>`;
}

function Totals({ total }) {
  const figures = [
    ["answers", formatNumber(total.messages)],
    ["tokens", formatNumber(total.prompt_tokens + total.completion_tokens)],
    ["cost", formatNumber(total.cost_micros / 1e6, 4)],
    ["from_cache", formatNumber(total.cached)],
  ];
  return html`<dl class="totals">${figures.map(([name, value]) => html`<div key=${name}><dt>${t(name)}</dt><dd>${value}</dd></div>`)}</dl>`;
}

function WindowTable({ data }) {
  const most = Math.max(1, ...data.items.map((item) => item.total.messages));
  const options = data.window === "hour" ? { month: "numeric", day: "numeric", hour: "numeric" } : data.window === "month" ? { year: "numeric", month: "long" } : { dateStyle: "medium" };
  const format = new Intl.DateTimeFormat(locale.value, { ...options, timeZone: "UTC" });
  return html`<div class="scroll-x"><table>
    <thead><tr><th>${t("window_utc")}</th><th class="number">${t("answers")}</th><th class="bar-cell"></th><th class="number">${t("prompt_tokens")}</th><th class="number">${t("completion_tokens")}</th><th class="number">${t("cost")}</th></tr></thead>
    <tbody>${[...data.items].reverse().map(
      ({ start, total }) => html`<tr key=${start}><td>${format.format(new Date(start))}</td><td class="number">${formatNumber(total.messages)}</td>
        <td class="bar-cell"><meter min="0" max=${most} value=${total.messages} aria-hidden="true"></meter></td>
        <td class="number">${formatNumber(total.prompt_tokens)}</td><td class="number">${formatNumber(total.completion_tokens)}</td><td class="number">${formatNumber(total.cost_micros / 1e6, 4)}</td></tr>`,
    )}</tbody>
  </table></div>`;
}

function ModelTable({ models }) {
  const rows = Object.entries(models).sort(([, one], [, other]) => other.messages - one.messages);
  return html`<div class="scroll-x"><table>
    <thead><tr><th>${t("model")}</th><th class="number">${t("answers")}</th><th class="number">${t("prompt_tokens")}</th><th class="number">${t("completion_tokens")}</th><th class="number">${t("cost")}</th></tr></thead>
    <tbody>${rows.map(
      ([name, spent]) => html`<tr key=${name}><td>${name}</td><td class="number">${formatNumber(spent.messages)}</td><td class="number">${formatNumber(spent.prompt_tokens)}</td><td class="number">${formatNumber(spent.completion_tokens)}</td><td class="number">${formatNumber(spent.cost_micros / 1e6, 4)}</td></tr>`,
    )}</tbody>
  </table></div>`;
}
