// What a conversation asks, and how it is answered: small choices below the question.
import { html, useEffect, useRef, useState } from "../../core/html.js";
import { call } from "../../core/http.js";
import { readAll } from "../../core/paging.js";
import { useResource } from "../../core/resource.js";
import { Button } from "../../components/button.js";
import { t } from "./words.js";

export const BASES_MAX = 500; // that are offered

/**
 * The models that may be chosen, the default first.
 * @param {AbortSignal} signal
 * @returns {Promise<{name: string, provider: string, default: boolean}[]>}
 */
export async function loadModels(signal) {
  return (await call("GET", "/models", { signal })).items;
}

/** All knowledge bases that the account may read, the newest first. @param {AbortSignal} signal */
export function loadBases(signal) {
  return readAll("/knowledge", signal, {}, BASES_MAX);
}

/** @param {{bases: {id: string, name: string}[], chosen: string[], choose: (ids: string[]) => void}} props none chosen: all of them */
export function KnowledgePicker({ bases, chosen, choose }) {
  const [isOpen, setOpen] = useState(false);
  const box = useRef(null);
  useEffect(() => {
    if (!isOpen) return undefined;
    const away = (event) => box.current?.contains(event.target) || setOpen(false);
    document.addEventListener("pointerdown", away);
    return () => document.removeEventListener("pointerdown", away);
  }, [isOpen]);
  if (!bases.length) return null;
  const only = chosen.length === 1 && bases.find((base) => base.id === chosen[0]);
  const label = !chosen.length ? t("all_bases") : only ? only.name : t("some_bases", { count: chosen.length });
  const toggle = (id) => choose(chosen.includes(id) ? chosen.filter((each) => each !== id) : [...chosen, id]);
  const onKeyDown = (event) => {
    if (event.key !== "Escape" || !isOpen) return;
    event.stopPropagation();
    setOpen(false);
    box.current.querySelector("button").focus();
  };
  return html`<div class="picker" ref=${box} onKeyDown=${onKeyDown}>
    <${Button} kind="quiet" icon="book" aria-expanded=${String(isOpen)} onClick=${() => setOpen(!isOpen)}>${label}</${Button}>
    ${isOpen && html`<fieldset class="picker-list"><legend class="unseen">${t("bases")}</legend>
      <label><input type="radio" checked=${!chosen.length} onChange=${() => choose([])} /><span>${t("all_bases")}</span></label>
      ${bases.map((base) => html`<label key=${base.id}><input type="checkbox" checked=${chosen.includes(base.id)} onChange=${() => toggle(base.id)} /><span>${base.name}</span></label>`)}
    </fieldset>`}
  </div>`;
}

/** From documents alone, or as an assistant where the installation has a model for that. @param {{mode: string, choose: (mode: string) => void}} props */
export function ModePicker({ mode, choose }) {
  const models = useResource((signal) => call("GET", "/v1/models", { signal }), []);
  if (!models.data?.data.some((model) => model.id === "claw-assistant")) return null;
  return html`<select class="mode" aria-label=${t("mode")} value=${mode} onChange=${(event) => choose(event.target.value)}>
    <option value="grounded">${t("mode_grounded")}</option>
    <option value="assistant">${t("mode_assistant")}</option>
  </select>`;
}

/** The choices of a model, "" for the default; one that was chosen and is no longer there stays as it is. */
export function modelOptions(models, chosen) {
  const first = models.find((model) => model.default);
  const others = models.filter((model) => !model.default).map((model) => ({ value: model.name, label: model.name }));
  const options = [{ value: "", label: t("model_default", { name: first?.name ?? "" }) }, ...others];
  if (options.some((option) => option.value === chosen)) return options;
  return [...options, { value: chosen, label: chosen === first?.name ? chosen : t("model_gone", { name: chosen }) }];
}

/** Which model answers, where there is more than one. @param {{models: {name: string, default: boolean}[], model: string, choose: (name: string) => void}} props */
export function ModelPicker({ models, model, choose }) {
  if (models.length < 2) return null;
  return html`<select class="mode" aria-label=${t("model")} value=${model} onChange=${(event) => choose(event.target.value)}>
    ${modelOptions(models, model).map(({ value, label }) => html`<option key=${value} value=${value}>${label}</option>`)}
  </select>`;
}
