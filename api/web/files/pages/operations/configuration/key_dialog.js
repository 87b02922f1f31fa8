import { html, useState } from "../../../core/html.js";
import { call, callTagged, newKey } from "../../../core/http.js";
import { useAct, useResource } from "../../../core/resource.js";
import { formatTime } from "../../../core/words.js";
import { Button } from "../../../components/button.js";
import { Dialog } from "../../../components/dialog.js";
import { errorOf, Field } from "../../../components/field.js";
import { Loading } from "../../../components/loading.js";
import { ProblemNote } from "../../../components/problem_note.js";
import { Propagation } from "../propagation.js";
import { t } from "../words.js";
import { Value } from "./configuration.js";
import { History } from "./history.js";
import { choicesOf, textOf, valueOf } from "./value_text.js";

/** One key: what it is, a form that changes it, which processes run which revision, and its history. @param {{name: string, changed: () => void, close: () => void}} props */
export function KeyDialog({ name, changed, close }) {
  const path = `/configs/${encodeURIComponent(name)}`;
  const key = useResource((signal) => callTagged("GET", path, { signal }), [name]);
  const written = (answer) => {
    key.set(answer);
    changed();
  };
  return html`<${Dialog} wide title=${name} close=${close}>
    ${key.problem && html`<${ProblemNote} problem=${key.problem} retry=${key.reload} />`}
    ${!key.data ? !key.problem && html`<${Loading} />` : html`<${KeyView} path=${path} item=${key.data.body} etag=${key.data.etag} written=${written} reload=${key.reload} />`}
  </${Dialog}>`;
}

function KeyView({ path, item, etag, written, reload }) {
  const rows = [
    [t("value"), html`<${Value} item=${item} />`],
    [t("layer"), `${t(`layer_${item.layer}`)} – ${t(`layer_${item.layer}_text`, { variable: item.variable })}`],
    [t("default"), item.sensitive ? null : html`<code>${textOf(item.default)}</code>`],
    [t("type"), `${t(`type_${item.kind}`)}${item.limits ? ` · ${item.limits}` : ""}`],
    [t("effect"), t(`effect_${item.effect}`)],
    [t("changed"), item.changed_at && `${formatTime(item.changed_at)} · ${item.changed_by}${item.reason ? ` · ${item.reason}` : ""}`],
  ];
  return html`
    <p>${item.description}</p>
    <dl class="facts">${rows.filter(([, value]) => value).map(([label, value]) => html`<dt key=${label}>${label}</dt><dd>${value}</dd>`)}</dl>
    ${item.stage ? html`<${Staged} path=${path} item=${item} etag=${etag} written=${written} />` : html`<${ChangeForm} key=${item.revision} path=${path} item=${item} etag=${etag} written=${written} reload=${reload} />`}
    <${Propagation} path=${path} revision=${item.revision} />
    <${History} path=${path} item=${item} etag=${etag} written=${written} />`;
}

function ChangeForm({ path, item, etag, written, reload }) {
  const [text, setText] = useState(item.sensitive ? "" : textOf(item.value));
  const [reason, setReason] = useState("");
  const save = useAct(async () => written(await callTagged("PUT", path, { body: { value: valueOf(item.kind, text), reason }, ifMatch: etag })));
  const reset = useAct(async () => written(await callTagged("PUT", path, { body: { value: null, reason }, ifMatch: etag })));
  const problem = save.problem || reset.problem;
  const error = errorOf(problem, "value") || errorOf(problem, "body.value");
  const choices = item.kind === "boolean" ? ["true", "false"] : choicesOf(item.kind, item.limits);
  const common = { label: t("new_value"), name: "value", value: text, error, hint: item.limits || null };
  return html`<form class="card" onSubmit=${(event) => (event.preventDefault(), save.run())}>
    ${choices.length > 0
      ? html`<${Field} ...${common} kind="select" onChange=${(event) => setText(event.target.value)}>${choices.map((choice) => html`<option key=${choice} value=${choice}>${choice || t("empty_text")}</option>`)}</${Field}>`
      : html`<${Field} ...${common} type=${item.sensitive ? "password" : "text"} inputmode=${item.kind === "integer" || item.kind === "number" ? "decimal" : null} autocomplete="off" onInput=${(event) => setText(event.target.value)} />`}
    <${Field} label=${t("reason")} name="reason" value=${reason} maxlength="500" autocomplete="off" onInput=${(event) => setReason(event.target.value)} />
    <div class="row wrap">
      <${Button} kind="primary" type="submit" busy=${save.busy}>${t("save")}</${Button}>
      ${item.layer === "topic" && html`<${Button} busy=${reset.busy} onClick=${reset.run}>${t("reset_to_default")}</${Button}>`}
    </div>
    <${ProblemNote} problem=${problem} retry=${problem?.status === 412 ? reload : null} />
  </form>`;
}

/** A change that is in force in a part of the installation: promoted everywhere, or taken back. */
function Staged({ path, item, etag, written }) {
  const end = useAct(async (verb) => written(await callTagged("POST", `${path}/${verb}`, { body: {}, ifMatch: etag, key: newKey() })));
  const state = useResource((signal) => call("GET", `${path}/stage`, { signal }), [item.revision]);
  return html`<div class="notice warning stack">
    <p><strong>${t("staged")}</strong> ${item.sensitive ? "" : textOf(item.stage.value)} · ${formatTime(item.stage.started_at)}${state.data?.verdict ? ` · ${t(`verdict_${state.data.verdict}`)}` : ""}</p>
    <div class="row wrap"><${Button} kind="primary" busy=${end.busy} onClick=${() => end.run("promote")}>${t("promote")}</${Button}><${Button} busy=${end.busy} onClick=${() => end.run("abort")}>${t("abort_stage")}</${Button}></div>
    <${ProblemNote} problem=${end.problem} />
  </div>`;
}
