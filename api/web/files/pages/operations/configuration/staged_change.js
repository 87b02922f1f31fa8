import { html, useEffect } from "../../../core/html.js";
import { call, callTagged, newKey } from "../../../core/http.js";
import { useAct } from "../../../core/resource.js";
import { formatNumber, formatTime } from "../../../core/words.js";
import { Button } from "../../../components/button.js";
import { ProblemNote } from "../../../components/problem_note.js";
import { usePolled } from "../polling.js";
import { t } from "../words.js";
import { selectorText } from "./stage_plan.js";
import { textOf } from "./value_text.js";

const LOOK_MS = 3000;

/** A change that is in force in a part of the installation, as its guard sees it: promoted everywhere, or taken back. */
export function StagedChange({ path, item, etag, written, reload }) {
  const { stage } = item;
  const end = useAct(async (verb) => written(await callTagged("POST", `${path}/${verb}`, { body: {}, ifMatch: etag, key: newKey() })));
  const state = usePolled((signal) => call("GET", `${path}/stage`, { signal }), LOOK_MS, [path, item.revision]);
  const hasEnded = state.problem?.status === 404 || (state.data?.revision ?? 0) > item.revision;
  useEffect(() => {
    if (hasEnded) reload(); // by its guard, its time, or somebody else
  }, [hasEnded]);
  const rows = [
    [t("value"), item.sensitive ? "••••••" : html`<code>${textOf(stage.value)}</code>`],
    [t("stage_part"), `${t(`part_${partOf(stage)}`)}: ${partText(stage)}`],
    [t("staged_since"), formatTime(stage.started_at)],
    [t("promoted_at"), stage.ends_at ? formatTime(stage.ends_at) : t("by_hand")],
    [t("guard"), stage.guard && html`<code>${selectorText(stage.guard.metric)}</code>${state.data?.verdict ? ` · ${t(`verdict_${state.data.verdict}`)}` : ""}${figuresText(state.data?.figures)}`],
  ];
  return html`<div class="notice warning stack" role="group" aria-label=${t("staged")}>
    <p><strong>${t("staged")}</strong></p>
    <dl class="facts">${rows.filter(([, value]) => value).map(([label, value]) => html`<dt key=${label}>${label}</dt><dd>${value}</dd>`)}</dl>
    <div class="row wrap"><${Button} kind="primary" busy=${end.busy} onClick=${() => end.run("promote")}>${t("promote")}</${Button}><${Button} busy=${end.busy} onClick=${() => end.run("abort")}>${t("abort_stage")}</${Button}></div>
    <${ProblemNote} problem=${end.problem || (hasEnded ? null : state.problem)} />
  </div>`;
}

function partOf(stage) {
  return stage.share !== null ? "share" : stage.workers.length > 0 ? "workers" : "tenants";
}

function partText(stage) {
  return stage.share !== null ? formatNumber(stage.share) : [...stage.workers, ...stage.tenants].join(", ");
}

function figuresText(figures) {
  return Object.entries(figures ?? {}).map(([name, value]) => ` · ${t(`figure_${name}`)} ${formatNumber(value)}`).join("");
}
