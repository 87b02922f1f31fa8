import { html, useState } from "../../../core/html.js";
import { callTagged } from "../../../core/http.js";
import { useAct } from "../../../core/resource.js";
import { Button } from "../../../components/button.js";
import { Dialog } from "../../../components/dialog.js";
import { Field } from "../../../components/field.js";
import { ProblemNote } from "../../../components/problem_note.js";
import { showToast } from "../../../components/toasts.js";
import { t } from "../words.js";
import { COUNTS, errorsOf, ruleOf, SCOPES, TIERS, WHEN_DOWN, withRule } from "./rule_list.js";

/**
 * A form for one rule; saving replaces the whole set, if nobody has changed it meanwhile.
 * @param {{rule: any, rules: {body: {rules: any[]}, etag: string}, saved: (answer: any) => void, reload: () => void, close: () => void}} props
 */
export function RuleDialog({ rule, rules, saved, reload, close }) {
  const [form, setForm] = useState(rule);
  const [reason, setReason] = useState("");
  const present = rules.body.rules;
  const isNew = rule.name === "";
  const put = async (changed) => {
    const answer = await callTagged("PUT", "/rate-limits/rules", { body: { rules: changed, reason }, ifMatch: rules.etag });
    showToast(t("rules_saved"));
    saved(answer);
  };
  const save = useAct(() => put(withRule(present, ruleOf(form), rule.name)));
  const remove = useAct(() => put(present.filter((each) => each.name !== rule.name)));
  const problem = save.problem || remove.problem;
  const errors = errorsOf(problem, isNew ? present.length : present.findIndex((each) => each.name === rule.name));
  const set = (name, value) => setForm({ ...form, [name]: value });
  const input = (name, more = {}) => html`<${Field} label=${t(`rule_${name}`)} name=${name} value=${form[name]} error=${errors[name]} autocomplete="off" onInput=${(event) => set(name, event.target.value)} ...${more} />`;
  const select = (name, options, word) => html`<${Field} label=${t(`rule_${name}`)} kind="select" value=${form[name]} error=${errors[name]} onChange=${(event) => set(name, event.target.value)}>${options.map((option) => html`<option key=${option} value=${option}>${word ? t(`${word}_${option}`) : option || t("all")}</option>`)}</${Field}>`;
  const check = (name) => html`<label class="row check"><input type="checkbox" checked=${form[name]} onChange=${(event) => set(name, event.target.checked)} /> ${t(`rule_${name}`)}</label>`;
  const actions = html`${!isNew && html`<${Button} kind="danger" busy=${remove.busy} onClick=${remove.run}>${t("remove_rule")}</${Button}><span class="stretch"></span>`}
    <${Button} onClick=${close}>${t("cancel")}</${Button}><${Button} kind="primary" busy=${save.busy} onClick=${save.run}>${t("save")}</${Button}>`;
  return html`<${Dialog} title=${isNew ? t("add_rule") : t("edit_rule", { name: rule.name })} close=${close} actions=${actions}>
    <form class="form" onSubmit=${(event) => (event.preventDefault(), save.run())}>
      ${input("name", { hint: t("rule_name_hint") })}
      <div class="pair">${input("rate", { type: "number", min: 1 })}${input("per_s", { type: "number", min: 0.1, step: "any" })}</div>
      <div class="pair">${input("burst", { type: "number", min: 1, hint: t("rule_burst_hint") })}${select("counts", COUNTS, "counts")}</div>
      <div class="pair">${select("scope", SCOPES, "scope")}${select("tier", TIERS)}</div>
      ${form.scope === "route" && html`${input("route", { hint: t("rule_route_hint") })}${check("exclusive")}`}
      ${form.scope === "address" && select("ipv6_prefix", [64, 56, 48])}
      ${select("when_down", WHEN_DOWN, "when_down")}
      ${check("shadow")}
      <${Field} label=${t("reason")} name="reason" value=${reason} maxlength="500" autocomplete="off" onInput=${(event) => setReason(event.target.value)} />
      <button type="submit" hidden></button>
    </form>
    <${ProblemNote} problem=${problem} retry=${problem?.status === 412 ? () => (reload(), close()) : null} />
  </${Dialog}>`;
}
