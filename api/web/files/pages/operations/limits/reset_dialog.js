import { html, useState } from "../../../core/html.js";
import { call, newKey } from "../../../core/http.js";
import { useAct } from "../../../core/resource.js";
import { formatNumber } from "../../../core/words.js";
import { Button } from "../../../components/button.js";
import { Dialog } from "../../../components/dialog.js";
import { errorOf, Field } from "../../../components/field.js";
import { ProblemNote } from "../../../components/problem_note.js";
import { showToast } from "../../../components/toasts.js";
import { t } from "../words.js";

const SUBJECTS = ["address", "user", "key"];

/** Fills the buckets of somebody again: of one rule, or of all. @param {{rules: {name: string}[], close: () => void}} props */
export function ResetDialog({ rules, close }) {
  const [form, setForm] = useState({ kind: "address", value: "", rule: "", reason: "" });
  const reset = useAct(async () => {
    const done = await call("POST", "/rate-limits/reset", { body: form, key: newKey() });
    showToast(t("buckets_reset", { count: formatNumber(done.reset) }));
    close();
  });
  const set = (name) => (event) => setForm({ ...form, [name]: event.target.value });
  return html`<${Dialog} title=${t("reset_buckets")} close=${close} actions=${html`<${Button} onClick=${close}>${t("cancel")}</${Button}><${Button} kind="primary" busy=${reset.busy} onClick=${reset.run}>${t("reset")}</${Button}>`}>
    <p class="minor">${t("reset_text")}</p>
    <${Field} label=${t("who")} kind="select" value=${form.kind} onChange=${set("kind")}>${SUBJECTS.map((kind) => html`<option key=${kind} value=${kind}>${t(kind === "address" ? "by_address" : `subject_${kind}`)}</option>`)}</${Field}>
    <${Field} label=${t("value")} name="value" value=${form.value} hint=${form.kind === "address" ? null : t(`subject_${form.kind}_hint`)} error=${errorOf(reset.problem, "value")} autocomplete="off" onInput=${set("value")} />
    <${Field} label=${t("rule")} kind="select" value=${form.rule} onChange=${set("rule")}><option value="">${t("all")}</option>${rules.map((rule) => html`<option key=${rule.name} value=${rule.name}>${rule.name}</option>`)}</${Field}>
    <${Field} label=${t("reason")} name="reason" value=${form.reason} maxlength="500" autocomplete="off" onInput=${set("reason")} />
    <${ProblemNote} problem=${reset.problem} />
  </${Dialog}>`;
}
