// The audit log: who did what that concerns security, with filters, and as a file.
import { html, useState } from "../../../core/html.js";
import { API, query } from "../../../core/http.js";
import { hasRole } from "../../../core/session.js";
import { formatTime } from "../../../core/words.js";
import { Button } from "../../../components/button.js";
import { Field } from "../../../components/field.js";
import { Icon } from "../../../components/icon.js";
import { ListingEnd, useListing } from "../../../components/listing.js";
import { Table } from "../table.js";
import { t } from "../words.js";

export default function Audit() {
  const [form, setForm] = useState({ action: "", actor: "", outcome: "", from: "", to: "", all: false });
  const [applied, setApplied] = useState({});
  const listing = useListing("/audit", applied);
  const set = (name) => (event) => setForm({ ...form, [name]: event.target.value });
  const apply = (event) => {
    event.preventDefault();
    const time = (text) => (text ? new Date(text).toISOString() : "");
    setApplied({ ...form, action: form.action.trim(), actor: form.actor.trim(), from: time(form.from), to: time(form.to), all: form.all || "" });
  };
  const exportPath = (format) => `${API}/audit/export${query({ ...applied, format })}`;
  const columns = [
    { name: "at", label: t("time"), kind: "time", show: (entry) => formatTime(entry.at) },
    { name: "action", label: t("action"), show: (entry) => html`<code>${entry.action}</code>${entry.outcome === "refused" ? html` <span class="badge danger">${t("outcome_refused_entry")}</span>` : ""}` },
    { name: "actor", label: t("actor"), kind: "wide", show: (entry) => html`<div>${t(`actor_${entry.actor.kind}`)}${entry.actor.role ? ` · ${t(`role_${entry.actor.role}`)}` : ""}<div class="minor"><code>${entry.actor.key_id || entry.actor.account_id}</code></div></div>` },
    { name: "target", label: t("target"), kind: "wide", show: (entry) => html`<div><code>${entry.target}</code><div class="minor">${Object.entries(entry.detail).map(([name, text]) => `${name}: ${text}`).join(" · ")}</div></div>` },
    { name: "address", label: t("by_address"), show: (entry) => html`<span title=${entry.user_agent}>${entry.address}</span>` },
  ];
  return html`
    <header class="row wrap"><h1 class="stretch">${t("section_audit")}</h1>
      ${["csv", "ndjson"].map((format) => html`<a key=${format} class="button" href=${exportPath(format)} download=${`audit.${format}`}><${Icon} name="download" /><span>${format.toUpperCase()}</span></a>`)}
    </header>
    <form class="filters" onSubmit=${apply}>
      <${Field} label=${t("action_begins")} name="action" value=${form.action} placeholder="api_key." autocomplete="off" maxlength="81" onInput=${set("action")} />
      <${Field} label=${t("actor_id")} name="actor" value=${form.actor} autocomplete="off" maxlength="64" onInput=${set("actor")} />
      <${Field} label=${t("outcome")} kind="select" value=${form.outcome} onChange=${set("outcome")}><option value="">${t("all")}</option><option value="accepted">${t("outcome_accepted")}</option><option value="refused">${t("outcome_refused_entry")}</option></${Field}>
      <${Field} label=${t("from")} type="datetime-local" value=${form.from} onInput=${set("from")} />
      <${Field} label=${t("to")} type="datetime-local" value=${form.to} onInput=${set("to")} />
      ${hasRole("operator") && html`<label class="row check"><input type="checkbox" checked=${form.all} onChange=${(event) => setForm({ ...form, all: event.target.checked })} /> ${t("every_organisation")}</label>`}
      <${Button} type="submit">${t("apply")}</${Button}>
    </form>
    ${listing.items.length > 0 && html`<${Table} label=${t("section_audit")} columns=${columns} rows=${listing.items} keyOf=${(entry) => entry.id} />`}
    <${ListingEnd} listing=${listing} empty=${t("no_entries_match")} />`;
}
