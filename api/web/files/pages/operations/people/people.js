// The organisation: its members with role, tier and access, invitations, and the members' API keys. Operators also see other organisations.
import { html, useState } from "../../../core/html.js";
import { call, callTagged } from "../../../core/http.js";
import { useAct, useResource } from "../../../core/resource.js";
import { hasRole, user } from "../../../core/session.js";
import { formatTime } from "../../../core/words.js";
import { Button } from "../../../components/button.js";
import { Confirmation, Dialog } from "../../../components/dialog.js";
import { errorOf, Field } from "../../../components/field.js";
import { ProblemNote } from "../../../components/problem_note.js";
import { ListingEnd, useListing } from "../../../components/listing.js";
import { Table } from "../table.js";
import { t } from "../words.js";
import { Invitations } from "./invitations.js";

export default function People() {
  const [tenant, setTenant] = useState("");
  const organisation = useResource((signal) => callTagged("GET", "/organisation", { signal }), []);
  const isOwn = !tenant;
  return html`
    <header class="row wrap"><h1>${t("section_people")}</h1></header>
    ${organisation.data && isOwn && html`<${OrganisationName} key=${organisation.data.etag} organisation=${organisation.data} changed=${organisation.set} />`}
    <${Members} key=${tenant} tenant=${tenant} choose=${setTenant} />
    ${isOwn && html`<${Invitations} /><${Keys} />`}`;
}

function OrganisationName({ organisation, changed }) {
  const [name, setName] = useState(organisation.body.name);
  const save = useAct(async () => changed(await callTagged("PATCH", "/organisation", { body: { name }, ifMatch: organisation.etag })));
  return html`<form class="ask" onSubmit=${(event) => (event.preventDefault(), save.run())}>
      <${Field} label=${t("organisation_name")} name="organisation" value=${name} maxlength="100" hint=${t("organisation_id", { id: organisation.body.id })} error=${errorOf(save.problem, "name")} autocomplete="off" onInput=${(event) => setName(event.target.value)} />
      <${Button} type="submit" busy=${save.busy} disabled=${name === organisation.body.name}>${t("save")}</${Button}>
    </form><${ProblemNote} problem=${save.problem} />`;
}

function OtherTenant({ tenant, choose }) {
  const [text, setText] = useState(tenant);
  return html`<form class="filters" onSubmit=${(event) => (event.preventDefault(), choose(text.trim()))}>
    <${Field} label=${t("other_organisation")} name="tenant" value=${text} maxlength="64" autocomplete="off" onInput=${(event) => setText(event.target.value)} />
    <${Button} type="submit">${t("show")}</${Button}>
    ${tenant && html`<${Button} kind="quiet" onClick=${() => (setText(""), choose(""))}>${t("own_organisation")}</${Button}>`}
  </form>`;
}

function Members({ tenant, choose }) {
  const listing = useListing("/users", { tenant }, 100);
  const [words, setWords] = useState("");
  const [edited, setEdited] = useState(null);
  const shown = listing.items.filter((member) => `${member.email} ${member.name} ${member.id}`.toLowerCase().includes(words.toLowerCase()));
  const columns = [
    { name: "email", label: t("member"), kind: "wide", show: (member) => html`<div><strong>${member.email || t("service_account")}</strong>${member.id === user.value.id ? html` <span class="badge">${t("you")}</span>` : ""}<div class="minor">${member.name}</div></div>` },
    { name: "role", label: t("role"), show: (member) => t(`role_${member.role}`) },
    { name: "tier", label: t("tier"), show: (member) => member.tier },
    { name: "state", label: t("access"), show: (member) => html`<span class=${`badge ${member.disabled ? "danger" : "good"}`}>${t(member.disabled ? "disabled" : "enabled")}</span>` },
    { name: "since", label: t("since"), kind: "time", show: (member) => formatTime(member.created_at) },
    { name: "acts", label: "", kind: "acts", show: (member) => html`<${Button} kind="quiet" icon="edit" label=${t("edit_member", { email: member.email || member.id })} onClick=${() => setEdited(member)} />` },
  ];
  return html`<section class="stack">
    <h2>${t("members")}</h2>
    <div class="filters"><${Field} label=${t("search")} type="search" value=${words} onInput=${(event) => setWords(event.target.value)} /><span class="stretch"></span>${hasRole("operator") && html`<${OtherTenant} tenant=${tenant} choose=${choose} />`}</div>
    ${shown.length > 0 && html`<${Table} label=${t("members")} columns=${columns} rows=${shown} keyOf=${(member) => member.id} />`}
    <${ListingEnd} listing=${listing} empty=${t("no_members")} />
    ${edited && html`<${MemberDialog} id=${edited.id} changed=${(member) => listing.change((items) => items.map((each) => (each.id === member.id ? member : each)))} close=${() => setEdited(null)} />`}
  </section>`;
}

/** A form for role, tier, name and access of an account, as it is now. */
function MemberDialog({ id, changed, close }) {
  const member = useResource((signal) => callTagged("GET", `/users/${id}`, { signal }), [id]);
  return member.data ? html`<${MemberForm} key=${member.data.etag} member=${member.data} reload=${member.reload} changed=${changed} close=${close} />` : html`<${Dialog} title=${t("member")} close=${close}><${ProblemNote} problem=${member.problem} retry=${member.reload} /></${Dialog}>`;
}

function MemberForm({ member, reload, changed, close }) {
  const { body, etag } = member;
  const [form, setForm] = useState({ name: body.name, role: body.role, tier: body.tier, disabled: body.disabled });
  const isOperator = hasRole("operator");
  const save = useAct(async () => {
    const changes = Object.fromEntries(Object.entries(form).filter(([name, value]) => value !== body[name]));
    if (Object.keys(changes).length) changed((await callTagged("PATCH", `/users/${body.id}`, { body: changes, ifMatch: etag })).body);
    close();
  });
  const set = (name) => (event) => setForm({ ...form, [name]: event.target.value });
  const roles = isOperator ? ["user", "admin", "operator"] : ["user", "admin", ...(body.role === "operator" ? ["operator"] : [])];
  return html`<${Dialog} title=${body.email || t("service_account")} close=${close} actions=${html`<${Button} onClick=${close}>${t("cancel")}</${Button}><${Button} kind="primary" busy=${save.busy} onClick=${save.run}>${t("save")}</${Button}>`}>
    <${Field} label=${t("name")} name="name" value=${form.name} error=${errorOf(save.problem, "name")} autocomplete="off" onInput=${set("name")} />
    <${Field} label=${t("role")} kind="select" name="role" value=${form.role} onChange=${set("role")}>${roles.map((role) => html`<option key=${role} value=${role}>${t(`role_${role}`)}</option>`)}</${Field}>
    ${isOperator && html`<${Field} label=${t("tier")} kind="select" name="tier" value=${form.tier} onChange=${set("tier")}>${["free", "pro", "enterprise"].map((tier) => html`<option key=${tier} value=${tier}>${tier}</option>`)}</${Field}>`}
    <label class="row check"><input type="checkbox" checked=${form.disabled} onChange=${(event) => setForm({ ...form, disabled: event.target.checked })} /> ${t("disable_text")}</label>
    <p class="minor"><code>${body.id}</code></p>
    <${ProblemNote} problem=${save.problem} retry=${save.problem?.status === 412 ? reload : null} />
  </${Dialog}>`;
}

function Keys() {
  const listing = useListing("/organisation/api-keys");
  const [revoked, setRevoked] = useState(null);
  const revoke = useAct(async () => {
    await call("DELETE", `/organisation/api-keys/${revoked.id}`);
    listing.change((items) => items.filter((each) => each.id !== revoked.id));
    setRevoked(null);
  });
  const columns = [
    { name: "name", label: t("name"), kind: "wide", show: (key) => html`<div><strong>${key.name}</strong><div class="minor"><code>${key.id}</code></div></div>` },
    { name: "owner", label: t("owner"), show: (key) => html`<code>${key.account_id}</code>` },
    { name: "scopes", label: t("scopes"), show: (key) => key.scopes.map((scope) => html`<span key=${scope} class="badge">${scope}</span> `) },
    { name: "used", label: t("last_used"), kind: "time", show: (key) => (key.last_used_at ? formatTime(key.last_used_at) : t("never")) },
    { name: "until", label: t("until"), kind: "time", show: (key) => (key.expires_at ? formatTime(key.expires_at) : t("for_ever")) },
    { name: "acts", label: "", kind: "acts", show: (key) => html`<${Button} kind="quiet" icon="trash" label=${t("revoke_key", { name: key.name })} onClick=${() => setRevoked(key)} />` },
  ];
  return html`<section class="stack"><h2>${t("api_keys")}</h2>
    ${listing.items.length > 0 && html`<${Table} label=${t("api_keys")} columns=${columns} rows=${listing.items} keyOf=${(key) => key.id} />`}
    <${ListingEnd} listing=${listing} empty=${t("no_api_keys")} />
    ${revoked && html`<${Confirmation} title=${t("revoke_key", { name: revoked.name })} text=${t("revoke_text")} label=${t("revoke")} run=${revoke.run} busy=${revoke.busy} close=${() => setRevoked(null)} problem=${html`<${ProblemNote} problem=${revoke.problem} />`} />`}
  </section>`;
}
