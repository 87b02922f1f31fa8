import { html, useEffect, useRef } from "../../core/html.js";
import { call } from "../../core/http.js";
import { formatTime } from "../../core/words.js";
import { announce } from "../../components/announcer.js";
import { ProblemNote } from "../../components/problem_note.js";
import { usePolled } from "./polling.js";
import { Table } from "./table.js";
import { t } from "./words.js";

const LOOK_MS = 1000; // until every process has it
const REST_MS = 10000;

/** Which process runs which revision of a key or of the rate rules, followed until all run the newest. @param {{path: string, revision: number}} props */
export function Propagation({ path, revision }) {
  const isComplete = useRef(false);
  const seen = usePolled((signal) => call("GET", `${path}/propagation`, { signal }), isComplete.current ? REST_MS : LOOK_MS, [path, revision, isComplete.current]);
  const data = seen.data?.revision >= revision ? seen.data : null;
  isComplete.current = Boolean(data?.in_force);
  const before = useRef(revision);
  useEffect(() => {
    if (data?.in_force && before.current !== revision) announce(t("in_force_everywhere"));
    if (data?.in_force) before.current = revision;
  }, [data?.in_force, revision]);
  const count = data?.processes.filter((each) => each.in_force).length ?? 0;
  const columns = [
    { name: "process", label: t("process"), show: (each) => html`<strong>${each.component}</strong> <code class="minor">${each.id}</code>` },
    { name: "revision", label: t("revision"), kind: "number", show: (each) => each.revision },
    { name: "state", label: t("state"), show: (each) => html`<span class=${`badge ${each.in_force ? "good" : "warning"}`}>${t(each.in_force ? "in_force" : each.pinned ? "pinned" : "not_yet")}</span>${each.staged ? html` <span class="badge warning">${t("staged_value")}</span>` : ""}` },
    { name: "since", label: t("running_since"), kind: "time", show: (each) => formatTime(each.since ?? each.started_at) },
    { name: "problem", label: "", kind: "wide", show: (each) => each.problem },
  ];
  return html`<section class="stack" aria-label=${t("propagation")}>
    <div class="row wrap"><h3>${t("propagation")}</h3>${data && html`<span class=${`badge ${data.in_force ? "good" : "warning"}`}>${t(data.in_force ? "in_force_everywhere" : "in_force_in", { count, all: data.processes.length })}</span>`}</div>
    ${seen.problem && html`<${ProblemNote} problem=${seen.problem} />`}
    ${data && html`<${Table} label=${t("propagation")} columns=${columns} rows=${data.processes} keyOf=${(each) => each.id} />`}
  </section>`;
}
