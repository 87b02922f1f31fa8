import { html } from "../../../core/html.js";
import { Field } from "../../../components/field.js";
import { t } from "../words.js";
import { BASELINES, PARTS, WORSE } from "./stage_plan.js";

/**
 * Where a new value is in force: everywhere, or in a part of the installation until it is promoted, by hand, after a time, or never because a
 * metric got worse there.
 * @param {{form: typeof import("./stage_plan.js").NEW_PLAN, set: (changes: object) => void, errors: Record<string, string>}} props
 */
export function StageFields({ form, set, errors }) {
  const input = (name, { field = name, ...more } = {}) => html`<${Field} label=${t(`stage_${name}`)} name=${name} value=${form[name]} error=${errors[field]} autocomplete="off" onInput=${(event) => set({ [name]: event.target.value })} ...${more} />`;
  const select = (name, options, more = {}) => html`<${Field} label=${t(`stage_${name}`)} kind="select" value=${form[name]} onChange=${(event) => set({ [name]: event.target.value })} ...${more}>${options.map((option) => html`<option key=${option} value=${option}>${t(`${name}_${option}`)}</option>`)}</${Field}>`;
  const number = { inputmode: "decimal" };
  return html`
    ${select("part", PARTS)}
    ${form.part !== "everywhere" && html`
      <div class="pair">
        ${input(form.part, { hint: t(`stage_${form.part}_hint`), ...(form.part === "share" ? number : {}) })}
        ${input("promote_after_s", { hint: t("stage_promote_after_s_hint"), ...number })}
      </div>
      <label class="row check"><input type="checkbox" checked=${form.guarded} onChange=${(event) => set({ guarded: event.target.checked })} /> ${t("stage_guarded")}</label>
      ${form.guarded && html`<fieldset class="form"><legend>${t("guard")}</legend>
        <div class="pair">
          ${input("metric", { field: "guard.metric.name", hint: t("stage_metric_hint") })}
          ${input("per", { field: "guard.per.name", hint: t("stage_per_hint") })}
        </div>
        <div class="pair">
          ${select("worse", WORSE)}
          ${input("threshold", { field: "guard.threshold", hint: t("stage_threshold_hint"), ...number })}
          ${input("worsening", { field: "guard.worsening", hint: t("stage_worsening_hint"), ...number })}
        </div>
        <div class="pair">
          ${select("baseline", BASELINES, { error: errors["guard.baseline"] })}
          ${input("window_s", { field: "guard.window_s", ...number })}
          ${input("observations_min", { field: "guard.observations_min", ...number })}
        </div>
      </fieldset>`}`}`;
}
