// What a conversation is about and how it is answered: a dialog.
import { html, useState } from "../../../core/html.js";
import { call, callTagged, newKey } from "../../../core/http.js";
import { useAct, useResource } from "../../../core/resource.js";
import { Button } from "../../../components/button.js";
import { Dialog } from "../../../components/dialog.js";
import { Field, errorOf } from "../../../components/field.js";
import { Loading } from "../../../components/loading.js";
import { ProblemNote } from "../../../components/problem_note.js";
import { showToast } from "../../../components/toasts.js";
import { t as common } from "../../../components/words.js";
import { tellConversationChange } from "./changes.js";
import { changedSettings, mergeSettings } from "./settings_merge.js";
import { t } from "./words.js";
import { BASES_MAX, loadBases, loadModels, modelOptions } from "../pickers.js";

const NEW = { title: "", type: "chat", mode: "grounded", model: "", system_prompt: "", knowledge_base_ids: [] };
const ATTEMPTS_MAX = 3; // of a save that others' changes refuse

/**
 * Settings of a conversation; what others change meanwhile is kept.
 * @param {{conversation: {id: string} | null, close: () => void, onSaved?: (conversation: any) => void}} props null: a conversation that is
 *   created when its settings are saved
 */
export function ConversationSettings({ conversation, close, onSaved }) {
  const id = conversation?.id ?? "";
  const loaded = useResource(
    async (signal) => {
      const stored = id ? callTagged("GET", `/conversations/${id}`, { signal }) : { body: NEW, etag: "" };
      const [{ body, etag }, bases, models] = await Promise.all([stored, loadBases(signal), loadModels(signal)]);
      return { body, etag, bases, models };
    },
    [id],
  );
  return loaded.data
    ? html`<${SettingsForm} id=${id} loaded=${loaded.data} close=${close} onSaved=${onSaved} />`
    : html`<${Dialog} title=${t("settings_title")} close=${close}>
        ${loaded.problem ? html`<${ProblemNote} problem=${loaded.problem} retry=${loaded.reload} />` : html`<${Loading} />`}
      </${Dialog}>`;
}

function SettingsForm({ id, loaded, close, onSaved }) {
  const [stored, setStored] = useState({ body: loaded.body, etag: loaded.etag });
  const [form, setForm] = useState(loaded.body);
  const [conflicts, setConflicts] = useState([]);
  const [key] = useState(newKey);
  const saved = (body) => {
    tellConversationChange(id ? "changed" : "created", body.id);
    showToast(t("saved"));
    onSaved?.(body);
    close();
  };
  const save = useAct(async () => {
    const gone = goneBases(loaded.bases, form.knowledge_base_ids);
    let mine = { ...form, knowledge_base_ids: form.knowledge_base_ids.filter((base) => !gone.includes(base)) };
    let { body: before, etag } = stored;
    if (!id) return saved(await call("POST", "/conversations", { body: changedSettings(NEW, mine), key }));
    for (let attempt = 1; ; attempt++) {
      const changes = changedSettings(before, mine);
      if (!Object.keys(changes).length) return close();
      try {
        return saved(await call("PATCH", `/conversations/${id}`, { body: changes, ifMatch: etag }));
      } catch (problem) {
        if (problem.status !== 412 || attempt === ATTEMPTS_MAX) throw problem;
      }
      const theirs = await callTagged("GET", `/conversations/${id}`);
      const merge = mergeSettings(before, theirs.body, mine);
      [before, etag, mine] = [theirs.body, theirs.etag, merge.merged];
      if (merge.conflicts.length) {
        setStored({ body: before, etag });
        setForm(mine);
        setConflicts(merge.conflicts);
        return undefined;
      }
    }
  });
  const input = (name) => ({ name, value: form[name], error: errorOf(save.problem, `body.${name}`), onInput: (event) => setForm({ ...form, [name]: event.target.value }) });
  return html`<${Dialog} title=${t("settings_title")} close=${close} actions=${html`
    <${Button} onClick=${close}>${common("cancel")}</${Button}>
    <${Button} kind="primary" busy=${save.busy} onClick=${save.run}>${t("save")}</${Button}>`}>
    <form class="stack" onSubmit=${(event) => (event.preventDefault(), save.run())}>
      <${Field} label=${t("title")} maxlength="200" ...${input("title")} />
      <${Choice} legend=${t("mode")} name="mode" value=${form.mode} choose=${(mode) => setForm({ ...form, mode })} options=${[
        { value: "grounded", label: t("mode_grounded"), hint: t("mode_grounded_hint") },
        { value: "assistant", label: t("mode_assistant"), hint: t("mode_assistant_hint") },
      ]} />
      ${loaded.models.length > 1 && html`<${Field} kind="select" label=${t("model")} hint=${t("model_hint")} ...${input("model")}>
        ${modelOptions(loaded.models, form.model).map(({ value, label }) => html`<option key=${value} value=${value}>${label}</option>`)}
      </${Field}>`}
      <${Field} kind="select" label=${t("type")} ...${input("type")}>
        <option value="chat">${t("type_chat")}</option>
        <option value="consulting">${t("type_consulting")}</option>
        <option value="support">${t("type_support")}</option>
      </${Field}>
      <${Field} kind="textarea" rows="4" label=${t("system_prompt")} hint=${t("system_prompt_hint")} maxlength="8000" ...${input("system_prompt")} />
      <${Bases} bases=${loaded.bases} chosen=${form.knowledge_base_ids} choose=${(ids) => setForm({ ...form, knowledge_base_ids: ids })} />
      ${conflicts.length > 0 && html`<p class="note-warning" role="alert">${t("conflict", { fields: conflicts.map((name) => fieldWord(name)).join(", ") })}</p>`}
      <${ProblemNote} problem=${save.problem} />
      <button type="submit" hidden></button>
    </form>
  </${Dialog}>`;
}

function fieldWord(name) {
  return name === "knowledge_base_ids" ? t("bases") : t(name);
}

/** One of a few, each with a sentence about it. */
function Choice({ legend, name, value, choose, options }) {
  return html`<fieldset class="choices"><legend>${legend}</legend>
    ${options.map(
      (option) => html`<label key=${option.value} class="choice"><input type="radio" name=${name} value=${option.value} checked=${value === option.value} onChange=${() => choose(option.value)} />
        <span><strong>${option.label}</strong><span class="minor">${option.hint}</span></span></label>`,
    )}
  </fieldset>`;
}

function Bases({ bases, chosen, choose }) {
  const gone = goneBases(bases, chosen).length;
  return html`<fieldset class="choices"><legend>${t("bases")}</legend>
    <p class="minor">${bases.length ? t("bases_hint") : t("bases_none")}</p>
    <div class="choice-list">
      ${bases.map(
        (base) => html`<label key=${base.id} class="choice"><input type="checkbox" checked=${chosen.includes(base.id)} onChange=${(event) => choose(event.target.checked ? [...chosen, base.id] : chosen.filter((id) => id !== base.id))} />
          <span><span>${base.name}</span>${base.sharing === "tenant" && html`<span class="minor">${t("base_shared")}</span>`}</span></label>`,
      )}
    </div>
    ${gone > 0 && html`<p class="minor">${t("bases_gone", { count: gone })}</p>`}
  </fieldset>`;
}

/** Those of `chosen` that cannot be read any more; unknown, and so none, where not all bases were loaded. */
function goneBases(bases, chosen) {
  const readable = new Set(bases.map((base) => base.id));
  return bases.length < BASES_MAX ? chosen.filter((id) => !readable.has(id)) : [];
}
