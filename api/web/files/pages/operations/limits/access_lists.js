import { html, useState } from "../../../core/html.js";
import { call } from "../../../core/http.js";
import { useAct } from "../../../core/resource.js";
import { formatTime } from "../../../core/words.js";
import { Button } from "../../../components/button.js";
import { Dialog } from "../../../components/dialog.js";
import { errorOf, Field } from "../../../components/field.js";
import { ProblemNote } from "../../../components/problem_note.js";
import { showProblem } from "../../../components/toasts.js";
import { ListingEnd, useListing } from "../../../components/listing.js";
import { Table } from "../table.js";
import { t } from "../words.js";

export const SUBJECTS = ["cidr", "user", "key"];

/** The allow list or the deny list, with a form that adds to it. @param {{access: "allow" | "deny"}} props */
export function AccessList({ access }) {
  const path = `/rate-limits/${access}list`;
  const listing = useListing(path);
  const [isAdding, setAdding] = useState(false);
  const remove = useAct(({ entry }) => call("DELETE", path, { body: { kind: entry.kind, value: entry.value } }).then(listing.reload, showProblem));
  const columns = [
    { name: "value", label: t("who"), kind: "wide", show: ({ entry }) => html`<span class="badge">${t(`subject_${entry.kind}`)}</span> <code>${entry.value}</code>` },
    { name: "reason", label: t("reason"), show: ({ entry }) => entry.reason },
    { name: "until", label: t("until"), kind: "time", show: ({ entry }) => (entry.expires_at ? formatTime(entry.expires_at) : t("for_ever")) },
    { name: "changed", label: t("added"), kind: "time", show: (each) => formatTime(each.changed_at) },
    { name: "acts", label: "", kind: "acts", show: (each) => html`<${Button} kind="quiet" icon="trash" label=${t("remove_entry", { value: each.entry.value })} disabled=${remove.busy} onClick=${() => remove.run(each)} />` },
  ];
  return html`<section class="stack">
    <div class="row wrap"><h2 class="stretch">${t(`${access}_list`)}</h2><${Button} icon="add" onClick=${() => setAdding(true)}>${t(`add_${access}`)}</${Button}></div>
    <p class="minor">${t(`${access}_list_text`)}</p>
    ${listing.items.length > 0 && html`<${Table} label=${t(`${access}_list`)} columns=${columns} rows=${listing.items} keyOf=${({ entry }) => `${entry.kind} ${entry.value}`} />`}
    <${ListingEnd} listing=${listing} empty=${t("no_entries")} />
    ${isAdding && html`<${EntryDialog} access=${access} path=${path} added=${() => (setAdding(false), listing.reload())} close=${() => setAdding(false)} />`}
  </section>`;
}

function EntryDialog({ access, path, added, close }) {
  const [form, setForm] = useState({ kind: "cidr", value: "", reason: "", expires_at: "" });
  const save = useAct(async () => {
    await call("PUT", path, { body: { ...form, expires_at: form.expires_at ? new Date(form.expires_at).toISOString() : null } });
    added();
  });
  const set = (name) => (event) => setForm({ ...form, [name]: event.target.value });
  return html`<${Dialog} title=${t(`add_${access}`)} close=${close} actions=${html`<${Button} onClick=${close}>${t("cancel")}</${Button}><${Button} kind=${access === "deny" ? "danger" : "primary"} busy=${save.busy} onClick=${save.run}>${t("add")}</${Button}>`}>
    <${Field} label=${t("who")} kind="select" value=${form.kind} onChange=${set("kind")}>${SUBJECTS.map((kind) => html`<option key=${kind} value=${kind}>${t(`subject_${kind}`)}</option>`)}</${Field}>
    <${Field} label=${t("value")} name="value" value=${form.value} hint=${t(`subject_${form.kind}_hint`)} error=${errorOf(save.problem, "value")} autocomplete="off" onInput=${set("value")} />
    <${Field} label=${t("until")} type="datetime-local" value=${form.expires_at} hint=${t("until_hint")} error=${errorOf(save.problem, "expires_at")} onInput=${set("expires_at")} />
    <${Field} label=${t("reason")} name="reason" value=${form.reason} maxlength="500" autocomplete="off" onInput=${set("reason")} />
    <${ProblemNote} problem=${save.problem} />
  </${Dialog}>`;
}
