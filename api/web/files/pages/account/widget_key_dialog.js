import { html, useState } from "../../core/html.js";
import { call } from "../../core/http.js";
import { readAll } from "../../core/paging.js";
import { useAct, useResource } from "../../core/resource.js";
import { Button } from "../../components/button.js";
import { Dialog } from "../../components/dialog.js";
import { Field, errorOf } from "../../components/field.js";
import { Loading } from "../../components/loading.js";
import { ProblemNote } from "../../components/problem_note.js";
import { t as common } from "../../components/words.js";
import { useActKey } from "./act_key.js";
import { t } from "./words.js";

/** A key that stands in pages of others: their origins, and what it is asked about. @param {{created: (key: any) => void, close: () => void}} props */
export function WidgetKeyDialog({ created, close }) {
  const bases = useResource((signal) => readAll("/knowledge", signal), []);
  const [form, setForm] = useState({ name: "", origins: location.origin, bases: [], share: "0.5" });
  const key = useActKey(form);
  const create = useAct(async () => {
    const widget = { origins: form.origins.split(/[\s,，]+/).filter(Boolean), knowledge_base_ids: form.bases, account_share: Number(form.share) };
    created(await call("POST", "/api-keys", { key, body: { name: form.name, widget } }));
  });
  const originProblem = create.problem?.errors?.find(({ field }) => field.includes("widget.origins"))?.detail;
  const basesProblem = create.problem?.errors?.find(({ field }) => field.includes("knowledge_base_ids"))?.detail;
  const change = (name) => (event) => setForm({ ...form, [name]: event.target.value });
  const choose = (id, isChosen) => setForm({ ...form, bases: isChosen ? [...form.bases, id] : form.bases.filter((each) => each !== id) });
  return html`<${Dialog} title=${t("create_widget_key")} close=${close} actions=${html`
    <${Button} onClick=${close}>${common("cancel")}</${Button}>
    <${Button} kind="primary" type="submit" form="create-widget-key" busy=${create.busy} disabled=${form.bases.length === 0}>${t("create_key")}</${Button}>`}>
    <form id="create-widget-key" class="stack" onSubmit=${(event) => (event.preventDefault(), create.run())}>
      <p class="note-warning">${t("widget_text")}</p>
      <${Field} label=${t("key_name")} name="name" required maxlength="100" value=${form.name} onInput=${change("name")} error=${errorOf(create.problem, "body.name")} />
      <${Field} label=${t("origins")} kind="textarea" name="origins" required rows="2" spellcheck="false" hint=${t("origins_hint")} value=${form.origins} onInput=${change("origins")} error=${originProblem} />
      <fieldset class="choices"><legend>${t("widget_bases")}</legend>
        ${bases.data ? bases.data.map((base) => html`<label key=${base.id} class="choice"><input type="checkbox" checked=${form.bases.includes(base.id)} onChange=${(event) => choose(base.id, event.target.checked)} /><span>${base.name}</span></label>`) : bases.problem ? html`<${ProblemNote} problem=${bases.problem} retry=${bases.reload} />` : html`<${Loading} />`}
        ${basesProblem && html`<p class="field-error">${basesProblem}</p>`}
      </fieldset>
      <${Field} label=${t("account_share")} name="share" type="number" min="0.01" max="1" step="any" required hint=${t("account_share_hint")} value=${form.share} onInput=${change("share")} error=${errorOf(create.problem, "body.widget.account_share")} />
      <${ProblemNote} problem=${create.problem} />
    </form>
  </${Dialog}>`;
}
