import { html, useEffect, useRef, useState } from "../../core/html.js";
import { useAct, useResource } from "../../core/resource.js";
import { formatNumber } from "../../core/words.js";
import { announce } from "../../components/announcer.js";
import { Button } from "../../components/button.js";
import { Confirmation, Dialog } from "../../components/dialog.js";
import { Field } from "../../components/field.js";
import { Loading } from "../../components/loading.js";
import { ProblemNote } from "../../components/problem_note.js";
import { t as common } from "../../components/words.js";
import { changeIndex, documentUrl, readIndex } from "./requests.js";
import { t } from "./words.js";

const LOOK_MS = 1500; // between two looks at a rebuild

/** The index of a knowledge base: the build in use, its rebuild with its progress, and the way back. */
export function IndexView({ base }) {
  const index = useResource((signal) => readIndex(base.id, signal), [base.id]);
  const [dialog, setDialog] = useState("");
  const [isBuilding, setBuilding] = useState(false);
  const newest = useRef(0); // revision: a process of the API may not have read the last change yet
  const plan = index.data;
  useEffect(() => {
    if (!plan) return undefined;
    const isWorking = plan.revision < newest.current || plan.state === "building" || isLeaving(plan);
    newest.current = Math.max(newest.current, plan.revision);
    if (isBuilding && plan.state !== "building") announce(t("rebuild_ended"));
    setBuilding(plan.state === "building");
    if (!isWorking) return undefined;
    const timer = setTimeout(index.reload, LOOK_MS);
    return () => clearTimeout(timer);
  }, [plan]);
  const show = (changed) => {
    newest.current = Math.max(newest.current, changed.revision);
    index.set(changed);
    index.reload(); // with its sizes
  };
  const back = useAct(async () => show(await changeIndex(base.id, "back")));
  if (!plan) return index.problem ? html`<${ProblemNote} problem=${index.problem} retry=${index.reload} />` : html`<${Loading} />`;
  const close = () => setDialog("");
  return html`<section class="stack" aria-label=${t("part_index")}>
    <p class="minor">${t("index_lead")}</p>
    <${ProblemNote} problem=${index.problem ?? back.problem} />
    ${plan.state === "building" && html`<${Progress} base=${base} plan=${plan} drop=${() => setDialog("drop")} />`}
    <div class="builds">
      <${Build} title=${t("index_active")} build=${plan.active} />
      ${plan.other && html`<${Build} title=${t(plan.state === "building" ? "index_new" : isLeaving(plan) ? "index_dropping" : "index_kept")} build=${plan.other} />`}
    </div>
    <div class="row wrap">
      ${plan.state === "steady" && html`<${Button} kind="primary" icon="refresh" onClick=${() => setDialog("rebuild")}>${t("rebuild")}</${Button}>`}
      ${plan.state === "kept" && plan.keep && html`<${Button} busy=${back.busy} onClick=${back.run}>${t("index_back")}</${Button}><${Button} icon="trash" onClick=${() => setDialog("drop")}>${t("index_drop")}</${Button}>`}
    </div>
    ${dialog === "rebuild" && html`<${RebuildDialog} base=${base} plan=${plan} close=${close} done=${show} />`}
    ${dialog === "drop" && html`<${DropDialog} base=${base} plan=${plan} close=${close} done=${show} />`}
  </section>`;
}

/** Whether the other build is on its way out: it is removed once nothing needs it. */
function isLeaving(plan) {
  return plan.state === "dropping" || (plan.state === "kept" && !plan.keep);
}

function Progress({ base, plan, drop }) {
  const report = plan.rebuild;
  const done = report ? Math.max(0, report.documents - report.pending - report.missing_total) : 0;
  return html`<div class="card">
    <header class="row"><h2 class="stretch">${t("rebuilding")}</h2><${Button} onClick=${drop}>${common("cancel")}</${Button}></header>
    <p class="row"><progress max=${report?.documents || 1} value=${report ? done : null} aria-label=${t("rebuilding")}></progress><span class="amount">${report ? t("rebuild_done", { done: formatNumber(done), total: formatNumber(report.documents) }) : ""}</span></p>
    ${report?.missing_total > 0 && html`<p>${t("rebuild_missing", { count: formatNumber(report.missing_total) })}</p><ul>${report.missing.slice(0, 10).map((missing) => html`<li key=${missing.document_id}><a href=${documentUrl(base.id, missing.document_id)}><bdi>${missing.document_id}</bdi></a> <code>${missing.code}</code></li>`)}</ul>`}
    <p class="minor">${t("rebuild_text")}</p>
  </div>`;
}

function Build({ title, build }) {
  return html`<div class="card">
    <h2>${title}</h2>
    <dl class="pairs">
      <dt>${t("index_points")}</dt><dd>${build.points === null ? "–" : formatNumber(build.points)}</dd>
      <dt>${t("index_embedding")}</dt><dd>${build.embedding}</dd>
      <dt>${t("index_chunk_tokens")}</dt><dd>${t("index_chunk_range", { target: formatNumber(build.chunk_tokens), max: formatNumber(build.chunk_tokens_max) })}</dd>
      <dt>${t("index_generation")}</dt><dd>${formatNumber(build.generation)}</dd>
    </dl>
    ${build.outdated_index && html`<p class="badge warning">${t("index_outdated", { name: build.outdated_index })}</p>`}
    ${build.unencoded_points > 0 && html`<p class="minor">${t("index_unencoded", { count: formatNumber(build.unencoded_points) })}</p>`}
  </div>`;
}

function RebuildDialog({ base, plan, close, done }) {
  const [values, setValues] = useState({ chunk_tokens: "", chunk_tokens_max: "", embedding: "", keep: false, force: false });
  const act = useAct(async () => {
    const number = (text) => (text === "" ? null : Number(text));
    done(await changeIndex(base.id, "rebuild", { ...values, chunk_tokens: number(values.chunk_tokens), chunk_tokens_max: number(values.chunk_tokens_max), embedding: values.embedding || null }));
    close();
  });
  const input = (name) => ({ value: values[name], onInput: (event) => setValues({ ...values, [name]: event.target.value }) });
  const box = (name) => html`<label class="choice"><input type="checkbox" checked=${values[name]} onChange=${(event) => setValues({ ...values, [name]: event.target.checked })} /><span><strong>${t(`rebuild_${name}`)}</strong><span class="minor">${t(`rebuild_${name}_text`)}</span></span></label>`;
  return html`<${Dialog} title=${t("rebuild")} close=${close}>
    <form class="stack" onSubmit=${(event) => (event.preventDefault(), act.run())}>
      <p>${t("rebuild_text")}</p>
      <div class="options">
        <${Field} label=${t("index_chunk_tokens")} type="number" min="32" max="2048" placeholder=${plan.active.chunk_tokens} ...${input("chunk_tokens")} />
        <${Field} label=${t("index_chunk_max")} type="number" min="64" max="4096" placeholder=${plan.active.chunk_tokens_max} ...${input("chunk_tokens_max")} />
        <${Field} kind="select" label=${t("index_embedding")} value=${values.embedding} onChange=${(event) => setValues({ ...values, embedding: event.target.value })}>
          <option value="">${t("by_settings")}</option>${["local", "wordllama", "openai", "zhipu"].map((name) => html`<option key=${name} value=${name}>${name}</option>`)}
        </${Field}>
      </div>
      ${box("keep")}${box("force")}
      <${ProblemNote} problem=${act.problem} />
      <div class="row end"><${Button} onClick=${close}>${common("cancel")}</${Button}><${Button} kind="primary" type="submit" busy=${act.busy}>${t("rebuild")}</${Button}></div>
    </form>
  </${Dialog}>`;
}

function DropDialog({ base, plan, close, done }) {
  const act = useAct(async () => {
    done(await changeIndex(base.id, "drop"));
    close();
  });
  return html`<${Confirmation} title=${t("index_drop")} text=${t(plan.state === "building" ? "index_drop_new_text" : "index_drop_kept_text")} label=${t("index_drop")} busy=${act.busy} run=${act.run} close=${close} problem=${html`<${ProblemNote} problem=${act.problem} />`} />`;
}
