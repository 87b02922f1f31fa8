// Tasks as they happen: filters, statistics, one in detail, many at once.
import { html, useEffect, useRef, useState } from "../../../core/html.js";
import { followWhileVisible } from "../../../core/events.js";
import { call } from "../../../core/http.js";
import { navigate, place } from "../../../core/router.js";
import { formatNumber, formatTime } from "../../../core/words.js";
import { Button } from "../../../components/button.js";
import { Field } from "../../../components/field.js";
import { Figure, Figures } from "../figure.js";
import { formatSpan } from "../format.js";
import { ListingEnd, useListing } from "../../../components/listing.js";
import { usePolled } from "../polling.js";
import { pathOf } from "../sections.js";
import { Table } from "../table.js";
import { t } from "../words.js";
import { BulkDialog } from "./bulk_dialog.js";
import { mergeTask } from "./live_tasks.js";
import { TaskDialog } from "./task_dialog.js";
import { durationOf, Progress, StateBadge } from "./task_views.js";

export const KINDS = ["generate_ai_response", "vectorize_document", "update_knowledge_base", "send_notification", "rebuild", "redrive", "clean_up", "health_check", "bulk_action", "export", "import", "erase"];
export const STATES = ["PENDING", "STARTED", "RETRY", "SUCCESS", "FAILURE", "CANCELLED"];
const STATS_MS = 15000;

export default function Tasks() {
  const chosen = place.value.parts[2];
  const [filter, setFilter] = useState({ kind: "", state: "" });
  const [isBulk, setBulk] = useState(false);
  const listing = useListing("/tasks", filter);
  const stats = usePolled((signal) => call("GET", "/tasks/stats", { signal }), STATS_MS, []);
  const [isLive, changed] = useTaskStream(listing, filter);
  return html`
    <header class="row wrap">
      <h1>${t("section_tasks")}</h1>
      <span class=${`badge ${isLive ? "good" : ""}`} role="status">${t(isLive ? "live" : "connecting")}</span>
      <span class="stretch"></span>
      <${Button} onClick=${() => setBulk(true)}>${t("bulk")}</${Button}>
    </header>
    ${stats.data && html`<${Statistics} stats=${stats.data} />`}
    <div class="filters">
      <${Field} label=${t("kind")} kind="select" value=${filter.kind} onChange=${(event) => setFilter({ ...filter, kind: event.target.value })}>
        <option value="">${t("all")}</option>${KINDS.map((kind) => html`<option key=${kind} value=${kind}>${t(`kind_${kind}`)}</option>`)}
      </${Field}>
      <${Field} label=${t("state")} kind="select" value=${filter.state} onChange=${(event) => setFilter({ ...filter, state: event.target.value })}>
        <option value="">${t("all")}</option>${STATES.map((state) => html`<option key=${state} value=${state}>${t(`task_${state}`)}</option>`)}
      </${Field}>
    </div>
    ${listing.items.length > 0 && html`<${TaskTable} tasks=${listing.items} />`}
    <${ListingEnd} listing=${listing} empty=${t("no_tasks")} />
    ${isBulk && html`<${BulkDialog} close=${() => setBulk(false)} />`}
    ${chosen && html`<${TaskDialog} key=${chosen} id=${chosen} changed=${changed} close=${() => navigate(pathOf("tasks"))} />`}`;
}

/** Whether the stream is open, and the task that changed last, for the dialog. */
function useTaskStream(listing, filter) {
  const [isLive, setLive] = useState(false);
  const [changed, setChanged] = useState(null);
  const latest = useRef({});
  latest.current = { listing, filter };
  useEffect(() => {
    const stop = new AbortController();
    let isFirst = true;
    followWhileVisible("/tasks/stream", {
      signal: stop.signal,
      onState: (state) => setLive(state === "open"),
      onEvent: ({ event, data }) => {
        if (event === "task") {
          setChanged(data);
          latest.current.listing.change((items) => mergeTask(items, data, latest.current.filter));
        } else if (event === "snapshot") {
          if (!isFirst) latest.current.listing.reload(); // changes may have been missed
          isFirst = false;
        }
        return event === "failed";
      },
    }).catch(() => setLive(false));
    return () => stop.abort();
  }, []);
  return [isLive, changed];
}

function TaskTable({ tasks }) {
  const columns = [
    { name: "kind", label: t("task"), kind: "wide", show: (task) => html`<div><a href=${pathOf("tasks", task.id)}>${t(`kind_${task.kind}`)}</a>${task.subject.title && html`<div class="minor">${task.subject.title}</div>`}</div>` },
    { name: "state", label: t("state"), show: (task) => html`<${StateBadge} state=${task.state} />` },
    { name: "progress", label: t("progress"), show: (task) => html`<${Progress} task=${task} />` },
    { name: "created", label: t("created"), kind: "time", show: (task) => formatTime(task.created_at) },
    { name: "duration", label: t("duration"), kind: "number", show: (task) => durationOf(task) },
    { name: "cause", label: t("cause"), kind: "wide", show: (task) => (task.cause ? html`<span>${task.cause.title}</span>` : "") },
  ];
  return html`<${Table} label=${t("section_tasks")} columns=${columns} rows=${tasks} keyOf=${(task) => task.id} />`;
}

function Statistics({ stats }) {
  const count = (...states) => stats.kinds.reduce((sum, kind) => sum + states.reduce((some, state) => some + (kind.counts[state] ?? 0), 0), 0);
  const answers = stats.kinds.find((kind) => kind.kind === "generate_ai_response")?.durations;
  const documents = stats.kinds.find((kind) => kind.kind === "vectorize_document")?.durations;
  return html`<${Figures}>
    <${Figure} label=${t("open_tasks")} value=${formatNumber(count("PENDING", "STARTED", "RETRY"))} of=${t("last_24_hours")} />
    <${Figure} label=${t("task_SUCCESS")} value=${formatNumber(count("SUCCESS"))} of=${t("last_24_hours")} />
    <${Figure} label=${t("task_FAILURE")} value=${formatNumber(count("FAILURE"))} of=${t("last_24_hours")} state=${count("FAILURE") ? "danger" : ""} />
    <${Figure} label=${t("kind_generate_ai_response")} value=${answers ? formatSpan(answers.p50_s) : null} of=${answers ? t("duration_of", { p95: formatSpan(answers.p95_s) }) : t("none_ended")} />
    <${Figure} label=${t("kind_vectorize_document")} value=${documents ? formatSpan(documents.p50_s) : null} of=${documents ? t("duration_of", { p95: formatSpan(documents.p95_s) }) : t("none_ended")} />
  </${Figures}>`;
}
