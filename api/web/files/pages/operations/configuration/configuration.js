// Live configuration: every key by its area, one key with its history and how far a change has come.
import { html, useMemo, useState } from "../../../core/html.js";
import { useResource } from "../../../core/resource.js";
import { navigate, place } from "../../../core/router.js";
import { formatNumber, formatTime } from "../../../core/words.js";
import { Field } from "../../../components/field.js";
import { Loading } from "../../../components/loading.js";
import { ProblemNote } from "../../../components/problem_note.js";
import { readAll } from "../../../core/paging.js";
import { pathOf } from "../sections.js";
import { Table } from "../table.js";
import { t } from "../words.js";
import { KeyDialog } from "./key_dialog.js";
import { areaOf, textOf } from "./value_text.js";

export default function Configuration() {
  const chosen = place.value.parts[2];
  const keys = useResource((signal) => readAll("/configs", signal), []);
  const [filter, setFilter] = useState({ text: "", area: "", changed: false });
  const areas = useMemo(() => [...new Set((keys.data ?? []).filter((key) => !key.changed_with).map((key) => areaOf(key.key)))], [keys.data]);
  const shown = useMemo(() => {
    const words = filter.text.toLowerCase();
    return (keys.data ?? []).filter((key) => !key.changed_with && (!filter.area || areaOf(key.key) === filter.area) && (!filter.changed || key.layer !== "default" || key.stage) && `${key.key} ${key.description}`.toLowerCase().includes(words));
  }, [keys.data, filter]);
  if (!keys.data) return keys.problem ? html`<${ProblemNote} problem=${keys.problem} retry=${keys.reload} />` : html`<${Loading} />`;
  return html`
    <header><h1>${t("section_configuration")}</h1></header>
    <p class="minor">${t("configuration_text")}</p>
    <div class="filters">
      <${Field} label=${t("search")} type="search" value=${filter.text} onInput=${(event) => setFilter({ ...filter, text: event.target.value })} />
      <${Field} label=${t("area")} kind="select" value=${filter.area} onChange=${(event) => setFilter({ ...filter, area: event.target.value })}>
        <option value="">${t("all")}</option>${areas.map((area) => html`<option key=${area} value=${area}>${area}</option>`)}
      </${Field}>
      <label class="row check"><input type="checkbox" checked=${filter.changed} onChange=${(event) => setFilter({ ...filter, changed: event.target.checked })} /> ${t("changed_only")}</label>
      <span class="minor" role="status">${t("keys_of", { shown: formatNumber(shown.length), all: formatNumber(keys.data.length) })}</span>
    </div>
    ${shown.length > 0 ? html`<${Keys} keys=${shown} />` : html`<p class="empty">${t("no_keys")}</p>`}
    ${chosen && html`<${KeyDialog} key=${chosen} name=${chosen} changed=${keys.reload} close=${() => navigate(pathOf("configuration"))} />`}`;
}

function Keys({ keys }) {
  const columns = [
    { name: "key", label: t("key"), kind: "wide", show: (key) => html`<div><a href=${pathOf("configuration", key.key)}><code>${key.key}</code></a><div class="minor">${key.description}</div></div>` },
    { name: "value", label: t("value"), show: (key) => html`<${Value} item=${key} />` },
    { name: "layer", label: t("layer"), show: (key) => html`<span class=${`badge ${key.layer === "topic" ? "good" : key.layer === "environment" ? "warning" : ""}`}>${t(`layer_${key.layer}`)}</span>${key.stage ? html` <span class="badge warning">${t("staged")}</span>` : ""}` },
    { name: "changed", label: t("changed"), kind: "time", show: (key) => (key.changed_at ? formatTime(key.changed_at) : "") },
  ];
  return html`<${Table} label=${t("section_configuration")} columns=${columns} rows=${keys} keyOf=${(key) => key.key} />`;
}

/** The value of a key or revision; of a sensitive one whether it has any. */
export function Value({ item }) {
  if (item.sensitive) return item.is_set ? html`<span title=${item.fingerprint}>••••••</span>` : "–";
  return item.value === "" ? html`<span class="minor">${t("empty_text")}</span>` : html`<code>${textOf(item.value)}</code>`;
}
