import { html, useEffect } from "../../../core/html.js";
import { call, newKey } from "../../../core/http.js";
import { useAct, useResource } from "../../../core/resource.js";
import { navigate } from "../../../core/router.js";
import { formatTime } from "../../../core/words.js";
import { Button } from "../../../components/button.js";
import { Dialog } from "../../../components/dialog.js";
import { Loading } from "../../../components/loading.js";
import { ProblemNote } from "../../../components/problem_note.js";
import { showToast } from "../../../components/toasts.js";
import { pathOf } from "../sections.js";
import { t } from "../words.js";
import { durationOf, Progress, StateBadge } from "./task_views.js";

/** One task: what it is, why it failed, what it came from, and what can be done. @param {{id: string, changed: any, close: () => void}} props */
export function TaskDialog({ id, changed, close }) {
  const task = useResource((signal) => call("GET", `/tasks/${encodeURIComponent(id)}`, { signal }), [id]);
  useEffect(() => {
    if (changed?.id === id) task.set(changed);
  }, [changed]);
  const act = useAct(async (path, kind) => {
    const answer = await call("POST", path.replace(/^\/api\/v1/, ""), { key: newKey() });
    showToast(t(kind === "cancel" ? "cancel_sent" : "retry_sent"));
    if (kind === "retry" && answer?.id) navigate(pathOf("tasks", answer.id));
    else task.reload();
  });
  const { data } = task;
  const actions = data && html`
    ${data.links.cancel && html`<${Button} kind="danger" busy=${act.busy} onClick=${() => act.run(data.links.cancel, "cancel")}>${t("cancel_task")}</${Button}>`}
    ${data.links.retry && html`<${Button} kind="primary" icon="refresh" busy=${act.busy} onClick=${() => act.run(data.links.retry, "retry")}>${t("retry_task")}</${Button}>`}
    <${Button} onClick=${close}>${t("close")}</${Button}>`;
  return html`<${Dialog} wide title=${data ? t(`kind_${data.kind}`) : t("task")} close=${close} actions=${actions}>
    ${task.problem ? html`<${ProblemNote} problem=${task.problem} retry=${task.reload} />` : !data ? html`<${Loading} />` : html`<${Facts} task=${data} />`}
    <${ProblemNote} problem=${act.problem} />
  </${Dialog}>`;
}

function Facts({ task }) {
  const link = (id, label) => html`<a href=${pathOf("tasks", id)}>${label ?? id}</a>`;
  const parent = task.parent_id && (task.parent_id === task.subject.schedule_id ? html`<a href=${pathOf("schedules")}>${t("section_schedules")}</a>` : link(task.parent_id));
  const rows = [
    [t("state"), html`<${StateBadge} state=${task.state} />`],
    [t("progress"), html`<${Progress} task=${task} />`],
    [t("subject"), task.subject.title],
    [t("created"), formatTime(task.created_at)],
    [t("started"), task.started_at && formatTime(task.started_at)],
    [t("ended"), task.ended_at && `${formatTime(task.ended_at)} · ${durationOf(task)}`],
    [t("estimated_end"), task.estimated_end_at && formatTime(task.estimated_end_at)],
    [t("retry_at"), task.retry_at && formatTime(task.retry_at)],
    [t("attempts"), String(task.attempts)],
    [t("owner"), task.account_id && html`<code>${task.account_id}</code>`],
    [t("parent"), parent],
    [t("children"), task.child_ids.length > 0 && task.child_ids.map((id) => html`<span key=${id}>${link(id)} </span>`)],
    [t("id"), html`<code>${task.id}</code>`],
  ];
  return html`
    ${task.cause && html`<div class=${`notice ${task.state === "FAILURE" ? "danger" : ""}`}><strong>${task.cause.title}</strong>${task.cause.detail && html`<p>${task.cause.detail}</p>`}${task.cause.remedy && html`<p>${task.cause.remedy}</p>`}</div>`}
    <dl class="facts">${rows.filter(([, value]) => value).map(([name, value]) => html`<dt key=${name}>${name}</dt><dd>${value}</dd>`)}</dl>
    ${task.kind === "generate_ai_response" && task.ended_at && html`<p><a href=${`${pathOf("explain", task.id)}?conversation=${task.subject.conversation_id}`}>${t("why_this_answer")}</a></p>`}`;
}
