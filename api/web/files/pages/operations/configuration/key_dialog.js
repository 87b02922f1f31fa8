import { html, useState } from "../../../core/html.js";
import { callTagged, newKey } from "../../../core/http.js";
import { useAct, useResource } from "../../../core/resource.js";
import { formatTime } from "../../../core/words.js";
import { Button } from "../../../components/button.js";
import { Dialog } from "../../../components/dialog.js";
import { Field } from "../../../components/field.js";
import { Loading } from "../../../components/loading.js";
import { ProblemNote } from "../../../components/problem_note.js";
import { Propagation } from "../propagation.js";
import { t } from "../words.js";
import { Value } from "./configuration.js";
import { History } from "./history.js";
import { StageFields } from "./stage_fields.js";
import { errorsByField, NEW_PLAN, planOf } from "./stage_plan.js";
import { StagedChange } from "./staged_change.js";
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
    ${item.stage ? html`<${StagedChange} path=${path} item=${item} etag=${etag} written=${written} reload=${reload} />` : html`<${ChangeForm} key=${item.revision} path=${path} item=${item} etag=${etag} written=${written} reload=${reload} />`}
    <${Propagation} path=${path} revision=${item.revision} />
    <${History} path=${path} item=${item} etag=${etag} written=${written} />`;
}

function ChangeForm({ path, item, etag, written, reload }) {
  const [text, setText] = useState(item.sensitive ? "" : textOf(item.value));
  const [reason, setReason] = useState("");
  const [plan, setPlan] = useState(NEW_PLAN);
  const isStaged = plan.part !== "everywhere";
  const save = useAct(async (value) =>
    written(
      isStaged
        ? await callTagged("POST", `${path}/stage`, { body: { value, reason, ...planOf(plan) }, ifMatch: etag, key: newKey() })
        : await callTagged("PUT", path, { body: { value, reason }, ifMatch: etag }),
    ),
  );
  const errors = errorsByField(save.problem);
  const choices = item.kind === "boolean" ? ["true", "false"] : choicesOf(item.kind, item.limits);
  const common = { label: t("new_value"), name: "value", value: text, error: errors.value, hint: item.limits || null };
  return html`<form class="card" onSubmit=${(event) => (event.preventDefault(), save.run(valueOf(item.kind, text)))}>
    ${choices.length > 0
      ? html`<${Field} ...${common} kind="select" onChange=${(event) => setText(event.target.value)}>${choices.map((choice) => html`<option key=${choice} value=${choice}>${choice || t("empty_text")}</option>`)}</${Field}>`
      : html`<${Field} ...${common} type=${item.sensitive ? "password" : "text"} inputmode=${item.kind === "integer" || item.kind === "number" ? "decimal" : null} autocomplete="off" onInput=${(event) => setText(event.target.value)} />`}
    ${item.effect === "live" && html`<${StageFields} form=${plan} set=${(changes) => setPlan((before) => ({ ...before, ...changes }))} errors=${errors} />`}
    <${Field} label=${t("reason")} name="reason" value=${reason} maxlength="500" autocomplete="off" onInput=${(event) => setReason(event.target.value)} />
    <div class="row wrap">
      <${Button} kind="primary" type="submit" busy=${save.busy}>${t(isStaged ? "begin_stage" : "save")}</${Button}>
      ${item.layer === "topic" && html`<${Button} busy=${save.busy} onClick=${() => save.run(null)}>${t(isStaged ? "stage_default" : "reset_to_default")}</${Button}>`}
    </div>
    <${ProblemNote} problem=${save.problem} retry=${save.problem?.status === 412 ? reload : null} />
  </form>`;
}
