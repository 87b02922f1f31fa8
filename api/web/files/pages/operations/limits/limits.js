// Rate limits: the rules, who is refused, and whom no rule or every refusal concerns.
import { html, useState } from "../../../core/html.js";
import { call, callTagged } from "../../../core/http.js";
import { useResource } from "../../../core/resource.js";
import { formatNumber, formatTime } from "../../../core/words.js";
import { Button } from "../../../components/button.js";
import { Field } from "../../../components/field.js";
import { Loading } from "../../../components/loading.js";
import { ProblemNote } from "../../../components/problem_note.js";
import { formatSpan } from "../format.js";
import { usePolled } from "../polling.js";
import { Propagation } from "../propagation.js";
import { Table } from "../table.js";
import { t } from "../words.js";
import { AccessList } from "./access_lists.js";
import { ResetDialog } from "./reset_dialog.js";
import { RuleDialog } from "./rule_dialog.js";
import { NEW_RULE } from "./rule_list.js";

const LOOK_MS = 10000;

export default function Limits() {
  const rules = useResource((signal) => callTagged("GET", "/rate-limits/rules", { signal }), []);
  const [edited, setEdited] = useState(null);
  const [isReset, setReset] = useState(false);
  return html`
    <header class="row wrap"><h1>${t("section_limits")}</h1><span class="stretch"></span>
      <${Button} onClick=${() => setReset(true)}>${t("reset_buckets")}</${Button}>
      ${rules.data && html`<${Button} icon="add" onClick=${() => setEdited(NEW_RULE)}>${t("add_rule")}</${Button}>`}
    </header>
    <${Monitor} />
    <section class="stack"><h2>${t("rules")}</h2>
      ${rules.problem && html`<${ProblemNote} problem=${rules.problem} retry=${rules.reload} />`}
      ${!rules.data ? !rules.problem && html`<${Loading} />` : html`
        <p class="minor">${rules.data.body.revision ? t("rules_changed", { revision: rules.data.body.revision, time: formatTime(rules.data.body.changed_at), by: rules.data.body.changed_by, reason: rules.data.body.reason }) : t("rules_of_settings")}</p>
        <${Rules} rules=${rules.data.body.rules} edit=${setEdited} />
        <${Propagation} path="/rate-limits/rules" revision=${rules.data.body.revision} />`}
    </section>
    <${AccessList} access="deny" /><${AccessList} access="allow" />
    ${edited && html`<${RuleDialog} rule=${edited} rules=${rules.data} saved=${(answer) => (rules.set(answer), setEdited(null))} reload=${rules.reload} close=${() => setEdited(null)} />`}
    ${isReset && html`<${ResetDialog} rules=${rules.data?.body.rules ?? []} close=${() => setReset(false)} />`}`;
}

function Rules({ rules, edit }) {
  const columns = [
    { name: "name", label: t("rule"), show: (rule) => html`<code>${rule.name}</code>${rule.shadow ? html` <span class="badge warning">${t("shadow")}</span>` : ""}` },
    { name: "rate", label: t("rate"), kind: "number", show: (rule) => t("rate_of", { rate: formatNumber(rule.rate), counts: t(`counts_${rule.counts}`), time: formatSpan(rule.per_s) }) },
    { name: "burst", label: t("burst"), kind: "number", show: (rule) => formatNumber(rule.burst) },
    { name: "scope", label: t("per"), show: (rule) => html`${t(`scope_${rule.scope}`)}${rule.tier ? ` · ${rule.tier}` : ""}${rule.route ? html` <code>${rule.route}</code>` : ""}${rule.scope === "address" && rule.ipv6_prefix !== 64 ? ` /${rule.ipv6_prefix}` : ""}` },
    { name: "acts", label: "", kind: "acts", show: (rule) => html`<${Button} kind="quiet" icon="edit" label=${t("edit_rule", { name: rule.name })} onClick=${() => edit(rule)} />` },
  ];
  return html`<${Table} label=${t("rules")} columns=${columns} rows=${rules} keyOf=${(rule) => rule.name} />`;
}

/** Who was refused, by rule, route, tier and address. */
function Monitor() {
  const [span, setSpan] = useState("hour");
  const [dimension, setDimension] = useState("rule");
  const seen = usePolled((signal) => call("GET", `/rate-limits/monitor?window=${span}&top=20`, { signal }), LOOK_MS, [span]);
  const columns = [
    { name: "value", label: t(`by_${dimension}`), kind: "wide", show: (count) => html`<code>${count.value}</code>` },
    { name: "refused", label: t("refused"), kind: "number", show: (count) => (count.refused ? html`<strong class="refused">${formatNumber(count.refused)}</strong>` : "0") },
    { name: "shadow", label: t("would_refuse"), kind: "number", show: (count) => formatNumber(count.shadow) },
    { name: "allowed", label: t("allowed"), kind: "number", show: (count) => formatNumber(count.allowed) },
  ];
  const rows = seen.data?.counts[dimension] ?? [];
  return html`<section class="stack"><h2>${t("who_is_refused")}</h2>
    <div class="filters">
      <${Field} label=${t("by")} kind="select" value=${dimension} onChange=${(event) => setDimension(event.target.value)}>${["rule", "route", "tier", "address"].map((name) => html`<option key=${name} value=${name}>${t(`by_${name}`)}</option>`)}</${Field}>
      <${Field} label=${t("window")} kind="select" value=${span} onChange=${(event) => setSpan(event.target.value)}>${["minute", "hour", "day"].map((name) => html`<option key=${name} value=${name}>${t(`last_${name}`)}</option>`)}</${Field}>
    </div>
    ${seen.problem && html`<${ProblemNote} problem=${seen.problem} retry=${seen.reload} />`}
    ${seen.data && (rows.length ? html`<${Table} label=${t("who_is_refused")} columns=${columns} rows=${rows} keyOf=${(count) => count.value} />` : html`<p class="empty">${t("nobody_counted")}</p>`)}
  </section>`;
}
