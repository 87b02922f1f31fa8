// What an administrator looks after: the organisation's name, who is a member, who is invited, and the members' keys.
import { html, useState } from "../../core/html.js";
import { call, callTagged } from "../../core/http.js";
import { useAct, useResource } from "../../core/resource.js";
import { hasRole, user } from "../../core/session.js";
import { formatTime, language } from "../../core/words.js";
import { Button } from "../../components/button.js";
import { Confirmation, Dialog } from "../../components/dialog.js";
import { Field, errorOf } from "../../components/field.js";
import { Loading } from "../../components/loading.js";
import { ProblemNote } from "../../components/problem_note.js";
import { showProblem, showToast } from "../../components/toasts.js";
import { t as common } from "../../components/words.js";
import { useActKey } from "./act_key.js";
import { ListingEnd, useListing } from "../../components/listing.js";
import { ErasureForm } from "./erasure_form.js";
import { Panel } from "./panel.js";
import { ShownOnce } from "./shown_once.js";
import { t } from "./words.js";

const LIFE_DAYS = [1, 7, 30];
const DAY_S = 86_400;
const STATE_BADGES = { unused: "good", used: "", expired: "warning" };

export default function OrganisationSection() {
  const members = useListing("/organisation/members");
  const loaded = useResource((signal) => callTagged("GET", "/organisation", { signal }), []);
  return html`<h1>${t("organisation")}</h1><${NamePanel} loaded=${loaded} /><${MembersPanel} members=${members} /><${InvitationsPanel} /><${KeysPanel} members=${members} />
    ${loaded.data && html`<${ErasePanel} organisation=${loaded.data.body} />`}`;
}

function ErasePanel({ organisation }) {
  return html`<${Panel} title=${t("erase_organisation")} text=${t("erase_text")}>
    <p>${t("erase_organisation_what")}</p>
    <${ErasureForm} path="/organisation/erasure" body=${{ organisation: organisation.id }} named=${organisation.name || organisation.id} label=${t("erase_organisation_name")} act=${t("erase_organisation_act")} />
  </${Panel}>`;
}

function NamePanel({ loaded }) {
  return html`<${Panel} title=${t("organisation_name")} text=${loaded.data && t("organisation_id", { id: loaded.data.body.id })}>
    ${loaded.data ? html`<${NameForm} key=${loaded.data.etag} loaded=${loaded.data} set=${loaded.set} />` : loaded.problem ? html`<${ProblemNote} problem=${loaded.problem} retry=${loaded.reload} />` : html`<${Loading} />`}
  </${Panel}>`;
}

function NameForm({ loaded, set }) {
  const [name, setName] = useState(loaded.body.name);
  const save = useAct(async () => {
    set(await callTagged("PATCH", "/organisation", { body: { name }, ifMatch: loaded.etag }));
    showToast(t("saved"));
  });
  return html`<form class="stack narrow" onSubmit=${(event) => (event.preventDefault(), save.run())}>
    <${Field} label=${t("organisation_name")} maxlength="100" value=${name} onInput=${(event) => setName(event.target.value)} error=${errorOf(save.problem, "body.name")} />
    <${ProblemNote} problem=${save.problem} />
    <div><${Button} kind="primary" type="submit" busy=${save.busy} disabled=${name === loaded.body.name}>${t("save")}</${Button}></div>
  </form>`;
}

function MembersPanel({ members }) {
  const [leaving, setLeaving] = useState(null);
  const change = async (member, changes) => {
    try {
      members.put(await call("PATCH", `/users/${member.id}`, { body: changes }));
      showToast(t("saved"));
    } catch (problem) {
      showProblem(problem);
      members.reload(); // the choice that was refused is not shown as if it held
    }
  };
  const remove = useAct(async () => {
    await call("DELETE", `/organisation/members/${leaving.id}`);
    members.put({ ...leaving, disabled: true });
    setLeaving(null);
    showToast(t("member_removed"));
  });
  return html`<${Panel} title=${t("members")} text=${t("members_text")}>
    <ul class="rows" aria-label=${t("members")}>
      ${members.items.map((member) => {
        const isMe = member.id === user.value?.id;
        const name = member.name || member.email;
        return html`<li key=${member.id} class=${member.disabled ? "faded" : ""}>
          <div class="stretch"><p class="row wrap"><strong>${name}</strong>${isMe && html`<span class="badge">${t("you")}</span>`}${member.disabled && html`<span class="badge danger">${t("disabled")}</span>`}</p>
            <p class="minor">${member.email} · ${t("member_since_at", { at: formatTime(member.created_at) })}</p></div>
          ${member.role === "operator" && !hasRole("operator")
            ? html`<span class="badge">${t("role_operator")}</span>`
            : html`<select aria-label=${t("role_of", { name })} value=${member.role} disabled=${isMe || member.disabled} onChange=${(event) => change(member, { role: event.target.value })}>
                ${["user", "admin", ...(hasRole("operator") || member.role === "operator" ? ["operator"] : [])].map((role) => html`<option key=${role} value=${role}>${t(`role_${role}`)}</option>`)}
              </select>`}
          ${!isMe && (member.disabled ? html`<${Button} onClick=${() => change(member, { disabled: false })}>${t("let_in_again")}</${Button}>` : html`<${Button} onClick=${() => setLeaving(member)}>${t("remove")}</${Button}>`)}
        </li>`;
      })}
    </ul>
    <${ListingEnd} listing=${members} empty="" />
    ${leaving && html`<${Confirmation} title=${t("remove_member", { name: leaving.name || leaving.email })} text=${t("remove_member_text")} label=${t("remove")} run=${remove.run} busy=${remove.busy} problem=${html`<${ProblemNote} problem=${remove.problem} />`} close=${() => setLeaving(null)} />`}
  </${Panel}>`;
}

function InvitationsPanel() {
  const invitations = useListing("/organisation/invitations");
  const [isCreating, setCreating] = useState(false);
  const [link, setLink] = useState("");
  const remove = useAct(async (invitation) => {
    await call("DELETE", `/organisation/invitations/${encodeURIComponent(invitation.id)}`);
    invitations.remove(invitation.id);
    showToast(t("invitation_deleted"));
  });
  const created = ({ invitation, ...rest }) => {
    invitations.put(rest);
    setCreating(false);
    setLink(`${location.origin}/invitation#token=${encodeURIComponent(invitation)}`);
  };
  return html`<${Panel} title=${t("invitations")} text=${t("invitations_text")} actions=${html`<${Button} kind="primary" icon="add" onClick=${() => setCreating(true)}>${t("invite")}</${Button}>`}>
    <${ProblemNote} problem=${remove.problem} />
    <ul class="rows" aria-label=${t("invitations")}>
      ${invitations.items.map(
        (invitation) => html`<li key=${invitation.id}>
          <div class="stretch"><p class="row wrap"><strong>${invitation.email || t("anybody_with_link")}</strong><span class=${`badge ${STATE_BADGES[invitation.state]}`}>${t(`invitation_${invitation.state}`)}</span><span class="badge">${t(`role_${invitation.role}`)}</span></p>
            <p class="minor">${t("created_at", { at: formatTime(invitation.created_at) })} · ${t("expires_at", { at: formatTime(invitation.expires_at) })}</p></div>
          <${Button} busy=${remove.busy} onClick=${() => remove.run(invitation)}>${t("delete")}</${Button}>
        </li>`,
      )}
    </ul>
    <${ListingEnd} listing=${invitations} empty=${t("no_invitations")} />
    ${isCreating && html`<${InvitationDialog} created=${created} close=${() => setCreating(false)} />`}
    ${link && html`<${ShownOnce} title=${t("invitation_link")} text=${t("invitation_once")} value=${link} close=${() => setLink("")} />`}
  </${Panel}>`;
}

function InvitationDialog({ created, close }) {
  const [form, setForm] = useState({ email: "", role: "user", days: 7 });
  const key = useActKey(form);
  const create = useAct(async () =>
    created(await call("POST", "/organisation/invitations", { body: { email: form.email || null, role: form.role, expires_in_s: form.days * DAY_S, language: language.value }, key })),
  );
  return html`<${Dialog} title=${t("invite")} close=${close} actions=${html`
    <${Button} onClick=${close}>${common("cancel")}</${Button}>
    <${Button} kind="primary" type="submit" form="invitation" busy=${create.busy}>${t("invite")}</${Button}>`}>
    <form id="invitation" class="stack" onSubmit=${(event) => (event.preventDefault(), create.run())}>
      <${Field} label=${t("invitation_email")} type="email" hint=${t("invitation_email_hint")} value=${form.email} onInput=${(event) => setForm({ ...form, email: event.target.value })} error=${errorOf(create.problem, "body.email")} />
      <${Field} kind="select" label=${t("role")} value=${form.role} onInput=${(event) => setForm({ ...form, role: event.target.value })}>
        <option value="user">${t("role_user")}</option><option value="admin">${t("role_admin")}</option>
      </${Field}>
      <${Field} kind="select" label=${t("expiry")} value=${form.days} onInput=${(event) => setForm({ ...form, days: Number(event.target.value) })}>
        ${LIFE_DAYS.map((days) => html`<option key=${days} value=${days}>${t("days", { days })}</option>`)}
      </${Field}>
      <${ProblemNote} problem=${create.problem} />
    </form>
  </${Dialog}>`;
}

function KeysPanel({ members }) {
  const keys = useListing("/organisation/api-keys");
  const [revoked, setRevoked] = useState(null);
  const revoke = useAct(async () => {
    await call("DELETE", `/organisation/api-keys/${revoked.id}`);
    keys.remove(revoked.id);
    setRevoked(null);
    showToast(t("key_revoked"));
  });
  const ownerOf = (key) => members.items.find((member) => member.id === key.account_id)?.email ?? key.account_id;
  return html`<${Panel} title=${t("member_keys")} text=${t("member_keys_text")}>
    <ul class="rows" aria-label=${t("member_keys")}>
      ${keys.items.map(
        (key) => html`<li key=${key.id}><div class="stretch"><p><strong>${key.name}</strong></p>
          <p class="minor">${ownerOf(key)} · ${key.last_used_at ? t("last_used", { at: formatTime(key.last_used_at) }) : t("never_used")}</p></div>
          <${Button} onClick=${() => setRevoked(key)}>${t("revoke")}</${Button}></li>`,
      )}
    </ul>
    <${ListingEnd} listing=${keys} empty=${t("no_keys")} />
    ${revoked && html`<${Confirmation} title=${t("revoke_title", { name: revoked.name })} text=${t("revoke_text")} label=${t("revoke")} run=${revoke.run} busy=${revoke.busy} problem=${html`<${ProblemNote} problem=${revoke.problem} />`} close=${() => setRevoked(null)} />`}
  </${Panel}>`;
}
