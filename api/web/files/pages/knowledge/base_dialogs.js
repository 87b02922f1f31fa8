import { html, useRef, useState } from "../../core/html.js";
import { newKey } from "../../core/http.js";
import { useAct } from "../../core/resource.js";
import { formatNumber } from "../../core/words.js";
import { Button } from "../../components/button.js";
import { Confirmation, Dialog } from "../../components/dialog.js";
import { Field, errorOf } from "../../components/field.js";
import { ProblemNote } from "../../components/problem_note.js";
import { t as common } from "../../components/words.js";
import { changeBase, createBase, deleteBase } from "./requests.js";
import { t } from "./words.js";

/**
 * Creates a knowledge base, or with `base` changes its name, description and sharing.
 * @param {{base?: object, etag?: string, close: () => void, done: (base: object) => void}} props
 */
export function BaseDialog({ base, etag, close, done }) {
  const [values, setValues] = useState({ name: base?.name ?? "", description: base?.description ?? "", sharing: base?.sharing ?? "private" });
  const key = useRef({ key: newKey(), values });
  const act = useAct(async () => {
    if (key.current.values !== values) key.current = { key: newKey(), values };
    done(base ? await changeBase(base.id, values, etag) : await createBase(values, key.current.key));
  });
  const submit = (event) => {
    event.preventDefault();
    if (values.name.trim()) act.run();
  };
  const title = t(base ? "settings" : "create");
  return html`<${Dialog} title=${title} close=${close}>
    <form id="base-form" class="stack" onSubmit=${submit}>
      <${Field} label=${t("name")} required maxlength="200" autofocus value=${values.name} error=${errorOf(act.problem, "name")} placeholder=${t("name_example")} onInput=${(event) => setValues({ ...values, name: event.target.value })} />
      <${Field} kind="textarea" label=${t("description")} hint=${t("description_hint")} rows="3" maxlength="2000" value=${values.description} onInput=${(event) => setValues({ ...values, description: event.target.value })} />
      <fieldset class="choices">
        <legend>${t("sharing")}</legend>
        ${["private", "tenant"].map(
          (sharing) => html`<label key=${sharing} class="choice">
            <input type="radio" name="sharing" value=${sharing} checked=${values.sharing === sharing} onChange=${() => setValues({ ...values, sharing })} />
            <span><strong>${t(`sharing_${sharing}`)}</strong><span class="minor">${t(`sharing_${sharing}_text`)}</span></span>
          </label>`,
        )}
      </fieldset>
      <${ProblemNote} problem=${act.problem} />
      <div class="row end"><${Button} onClick=${close}>${common("cancel")}</${Button}><${Button} kind="primary" type="submit" busy=${act.busy}>${base ? t("save") : t("create_short")}</${Button}></div>
    </form>
  </${Dialog}>`;
}

/** Asks before a knowledge base is deleted. @param {{base: object, documents: number | null, close: () => void, done: () => void}} props */
export function DeleteBase({ base, documents, close, done }) {
  const act = useAct(async () => {
    await deleteBase(base.id);
    done();
  });
  const text = documents === null ? t("delete_base_text", { name: base.name }) : t("delete_base_count", { name: base.name, count: formatNumber(documents) });
  return html`<${Confirmation} title=${t("delete_base")} text=${text} label=${t("delete")} busy=${act.busy} run=${act.run} close=${close} problem=${html`<${ProblemNote} problem=${act.problem} />`} />`;
}
