import { html, useRef, useState } from "../../../core/html.js";
import { call, newKey } from "../../../core/http.js";
import { useAct } from "../../../core/resource.js";
import { formatTime, language } from "../../../core/words.js";
import { Button } from "../../../components/button.js";
import { Dialog } from "../../../components/dialog.js";
import { errorOf, Field } from "../../../components/field.js";
import { ProblemNote } from "../../../components/problem_note.js";
import { showProblem } from "../../../components/toasts.js";
import { ListingEnd, useListing } from "../../../components/listing.js";
import { Table } from "../table.js";
import { t } from "../words.js";

const DAY_S = 86400;
const TONES = { unused: "good", used: "", expired: "warning" };

/** Invitations to the organisation; the text of a new one is shown once. */
export function Invitations() {
  const listing = useListing("/organisation/invitations");
  const [isInviting, setInviting] = useState(false);
  const remove = useAct((invitation) => call("DELETE", `/organisation/invitations/${invitation.id}`).then(listing.reload, showProblem));
  const columns = [
    { name: "email", label: t("for_whom"), kind: "wide", show: (each) => each.email ?? t("anybody_with_it") },
    { name: "role", label: t("role"), show: (each) => t(`role_${each.role}`) },
    { name: "state", label: t("state"), show: (each) => html`<span class=${`badge ${TONES[each.state]}`}>${t(`invitation_${each.state}`)}</span>` },
    { name: "until", label: t("until"), kind: "time", show: (each) => formatTime(each.expires_at) },
    { name: "acts", label: "", kind: "acts", show: (each) => html`<${Button} kind="quiet" icon="trash" label=${t("delete_invitation", { email: each.email ?? each.id.slice(0, 8) })} disabled=${remove.busy} onClick=${() => remove.run(each)} />` },
  ];
  return html`<section class="stack">
    <div class="row wrap"><h2 class="stretch">${t("invitations")}</h2><${Button} icon="add" onClick=${() => setInviting(true)}>${t("invite")}</${Button}></div>
    ${listing.items.length > 0 && html`<${Table} label=${t("invitations")} columns=${columns} rows=${listing.items} keyOf=${(each) => each.id} />`}
    <${ListingEnd} listing=${listing} empty=${t("no_invitations")} />
    ${isInviting && html`<${InviteDialog} close=${() => (setInviting(false), listing.reload())} />`}
  </section>`;
}

function InviteDialog({ close }) {
  const [form, setForm] = useState({ email: "", role: "user", days: "7" });
  const [made, setMade] = useState(null);
  const key = useRef(newKey());
  const invite = useAct(async () => {
    const body = { email: form.email.trim() || null, role: form.role, expires_in_s: Number(form.days) * DAY_S, language: language.value };
    try {
      setMade(await call("POST", "/organisation/invitations", { body, key: key.current }));
    } catch (problem) {
      if (problem.status) key.current = newKey(); // refused: the next attempt is another one
      throw problem;
    }
  });
  const set = (name) => (event) => setForm({ ...form, [name]: event.target.value });
  if (made) {
    const link = `${location.origin}/invitation#token=${encodeURIComponent(made.invitation)}`;
    return html`<${Dialog} title=${t("invited")} close=${close} actions=${html`<${Button} kind="primary" onClick=${close}>${t("close")}</${Button}>`}>
      <p>${t(made.email ? "invited_by_mail" : "invited_by_link")}</p>
      <${Field} label=${t("invitation_link")} value=${link} readonly onFocus=${(event) => event.target.select()} />
    </${Dialog}>`;
  }
  return html`<${Dialog} title=${t("invite")} close=${close} actions=${html`<${Button} onClick=${close}>${t("cancel")}</${Button}><${Button} kind="primary" busy=${invite.busy} onClick=${invite.run}>${t("invite")}</${Button}>`}>
    <${Field} label=${t("email")} type="email" name="email" value=${form.email} hint=${t("email_hint")} error=${errorOf(invite.problem, "email")} autocomplete="off" onInput=${set("email")} />
    <${Field} label=${t("role")} kind="select" value=${form.role} onChange=${set("role")}>${["user", "admin"].map((role) => html`<option key=${role} value=${role}>${t(`role_${role}`)}</option>`)}</${Field}>
    <${Field} label=${t("valid_days")} type="number" min="1" max="30" value=${form.days} error=${errorOf(invite.problem, "expires_in_s")} onInput=${set("days")} />
    <${ProblemNote} problem=${invite.problem} />
  </${Dialog}>`;
}
