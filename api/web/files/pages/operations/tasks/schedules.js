// Schedules: what runs again and again, with its next times; paused, resumed, run now, created.
import { html, useState } from "../../../core/html.js";
import { call, callTagged, newKey } from "../../../core/http.js";
import { useAct, useResource } from "../../../core/resource.js";
import { navigate } from "../../../core/router.js";
import { hasRole } from "../../../core/session.js";
import { formatDuration, formatTime } from "../../../core/words.js";
import { Button } from "../../../components/button.js";
import { Confirmation, Dialog } from "../../../components/dialog.js";
import { errorOf, Field } from "../../../components/field.js";
import { Loading } from "../../../components/loading.js";
import { ProblemNote } from "../../../components/problem_note.js";
import { showProblem } from "../../../components/toasts.js";
import { readAll } from "../../../core/paging.js";
import { pathOf } from "../sections.js";
import { Table } from "../table.js";
import { t } from "../words.js";

export default function Schedules() {
  const schedules = useResource(async (signal) => [...(await readAll("/schedules", signal)), ...(hasRole("operator") ? await readAll("/schedules", signal, { installation: true }) : [])], []);
  const [isCreating, setCreating] = useState(false);
  const [removed, setRemoved] = useState(null);
  const act = useAct(async (make) => {
    await make().catch(showProblem);
    schedules.reload();
  });
  const pause = (schedule) =>
    act.run(async () => {
      const { etag } = await callTagged("GET", `/schedules/${schedule.id}`);
      await call("PATCH", `/schedules/${schedule.id}`, { body: { paused: !schedule.paused }, ifMatch: etag });
    });
  const trigger = (schedule) =>
    act.run(async () => {
      const run = await call("POST", `/schedules/${schedule.id}/trigger`, { key: newKey() });
      navigate(pathOf("tasks", run.id));
    });
  const columns = [
    { name: "name", label: t("name"), kind: "wide", show: (each) => html`<div><strong>${each.name}</strong>${each.installation ? html` <span class="badge">${t("installation")}</span>` : ""}<div class="minor">${t(`kind_${each.action.kind}`)}</div></div>` },
    { name: "times", label: t("times"), show: (each) => (each.spec.kind === "cron" ? html`<div><code>${each.spec.line}</code><div class="minor">${each.spec.time_zone}</div></div>` : t("every", { time: formatDuration(each.spec.every_s) })) },
    { name: "next", label: t("next_run"), kind: "time", show: (each) => (each.paused ? html`<span class="badge warning">${t("paused")}</span>` : each.next_at.length ? formatTime(each.next_at[0]) : "–") },
    { name: "acts", label: "", kind: "acts", show: (each) => html`<${Button} kind="quiet" disabled=${act.busy} onClick=${() => trigger(each)}>${t("run_now")}</${Button}><${Button} kind="quiet" disabled=${act.busy} onClick=${() => pause(each)}>${t(each.paused ? "resume" : "pause")}</${Button}><${Button} kind="quiet" icon="trash" label=${t("delete_schedule", { name: each.name })} onClick=${() => setRemoved(each)} />` },
  ];
  return html`
    <header class="row wrap"><h1 class="stretch">${t("section_schedules")}</h1><${Button} icon="add" onClick=${() => setCreating(true)}>${t("create_schedule")}</${Button}></header>
    ${schedules.problem && html`<${ProblemNote} problem=${schedules.problem} retry=${schedules.reload} />`}
    ${!schedules.data ? !schedules.problem && html`<${Loading} />` : schedules.data.length ? html`<${Table} label=${t("section_schedules")} columns=${columns} rows=${schedules.data} keyOf=${(each) => each.id} />` : html`<p class="empty">${t("no_schedules")}</p>`}
    ${isCreating && html`<${CreateDialog} created=${() => (setCreating(false), schedules.reload())} close=${() => setCreating(false)} />`}
    ${removed && html`<${Confirmation} title=${t("delete_schedule", { name: removed.name })} text=${t("delete_schedule_text")} label=${t("delete")} busy=${act.busy} close=${() => setRemoved(null)} run=${() => act.run(() => call("DELETE", `/schedules/${removed.id}`)).then(() => setRemoved(null))} />`}`;
}

function CreateDialog({ created, close }) {
  const isOperator = hasRole("operator");
  const bases = useResource((signal) => readAll("/knowledge", signal), []);
  const [form, setForm] = useState({ name: "", action: "rebuild", base: "", kind: "cron", line: "30 3 * * *", time_zone: Intl.DateTimeFormat().resolvedOptions().timeZone, hours: "24" });
  const save = useAct(async () => {
    const spec = form.kind === "cron" ? { kind: "cron", line: form.line, time_zone: form.time_zone } : { kind: "interval", every_s: Math.round(Number(form.hours) * 3600) };
    const action = form.action === "rebuild" ? { kind: "rebuild", knowledge_base_id: form.base || bases.data?.[0]?.id || "" } : { kind: form.action };
    await call("POST", "/schedules", { body: { name: form.name, spec, action }, key: newKey() });
    created();
  });
  const set = (name) => (event) => setForm({ ...form, [name]: event.target.value });
  const error = (...names) => names.map((name) => errorOf(save.problem, name)).find(Boolean) || "";
  return html`<${Dialog} title=${t("create_schedule")} close=${close} actions=${html`<${Button} onClick=${close}>${t("cancel")}</${Button}><${Button} kind="primary" busy=${save.busy} onClick=${save.run}>${t("create")}</${Button}>`}>
    <${Field} label=${t("name")} name="name" value=${form.name} maxlength="100" error=${error("name")} autocomplete="off" onInput=${set("name")} />
    <${Field} label=${t("action")} kind="select" value=${form.action} onChange=${set("action")}>${["rebuild", ...(isOperator ? ["redrive", "clean_up", "health_check"] : [])].map((kind) => html`<option key=${kind} value=${kind}>${t(`kind_${kind}`)}</option>`)}</${Field}>
    ${form.action === "rebuild" && html`<${Field} label=${t("knowledge_base")} kind="select" value=${form.base} onChange=${set("base")} error=${error("action.knowledge_base_id")}>${(bases.data ?? []).map((base) => html`<option key=${base.id} value=${base.id}>${base.name}</option>`)}</${Field}>`}
    <${Field} label=${t("times")} kind="select" value=${form.kind} onChange=${set("kind")}><option value="cron">${t("cron")}</option><option value="interval">${t("interval")}</option></${Field}>
    ${form.kind === "cron" ? html`<div class="pair"><${Field} label=${t("cron_line")} name="line" value=${form.line} hint=${t("cron_hint")} error=${error("spec.line", "spec")} autocomplete="off" onInput=${set("line")} /><${Field} label=${t("time_zone")} value=${form.time_zone} error=${error("spec.time_zone")} autocomplete="off" onInput=${set("time_zone")} /></div>` : html`<${Field} label=${t("hours")} type="number" min="0.02" step="any" value=${form.hours} error=${error("spec.every_s")} onInput=${set("hours")} />`}
    <${ProblemNote} problem=${save.problem} />
  </${Dialog}>`;
}
