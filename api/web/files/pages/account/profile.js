// Name, address and what the account is.
import { html, useState } from "../../core/html.js";
import { call, callTagged } from "../../core/http.js";
import { useAct, useResource } from "../../core/resource.js";
import { readSession } from "../../core/session.js";
import { formatTime } from "../../core/words.js";
import { Button } from "../../components/button.js";
import { Field, errorOf } from "../../components/field.js";
import { Loading } from "../../components/loading.js";
import { ProblemNote } from "../../components/problem_note.js";
import { showToast } from "../../components/toasts.js";
import { Panel } from "./panel.js";
import { t } from "./words.js";

export default function Profile() {
  const loaded = useResource((signal) => callTagged("GET", "/users/me", { signal }), []);
  return html`<h1>${t("profile")}</h1>
    ${loaded.data ? html`<${NamePanel} key=${loaded.data.etag} account=${loaded.data} reload=${loaded.reload} /><${AddressPanel} user=${loaded.data.body} />` : loaded.problem ? html`<${ProblemNote} problem=${loaded.problem} retry=${loaded.reload} />` : html`<${Loading} />`}`;
}

function NamePanel({ account, reload }) {
  const { body: user, etag } = account;
  const [name, setName] = useState(user.name);
  const save = useAct(async () => {
    await call("PATCH", "/users/me", { body: { name }, ifMatch: etag });
    await readSession();
    showToast(t("saved"));
    reload();
  });
  return html`<${Panel} title=${t("about_you")}>
    <form class="stack narrow" onSubmit=${(event) => (event.preventDefault(), save.run())}>
      <${Field} label=${t("name")} name="name" autocomplete="name" maxlength="100" hint=${t("name_hint")} error=${errorOf(save.problem, "body.name")} value=${name} onInput=${(event) => setName(event.target.value)} />
      <${ProblemNote} problem=${save.problem} />
      <div><${Button} kind="primary" type="submit" busy=${save.busy} disabled=${name === user.name}>${t("save")}</${Button}></div>
    </form>
    <dl class="facts">
      <dt>${t("role")}</dt><dd>${t(`role_${user.role}`)}</dd>
      <dt>${t("tier")}</dt><dd>${t(`tier_${user.tier}`)}</dd>
      <dt>${t("member_since")}</dt><dd>${formatTime(user.created_at)}</dd>
    </dl>
  </${Panel}>`;
}

function AddressPanel({ user }) {
  const [isSent, setSent] = useState(false);
  const send = useAct(async () => {
    await call("POST", "/auth/verify");
    setSent(true);
  });
  return html`<${Panel} title=${t("email")} text=${t("email_text")}>
    <p class="row wrap"><strong>${user.email}</strong><span class=${user.verified ? "badge good" : "badge warning"}>${t(user.verified ? "verified" : "unverified")}</span></p>
    ${!user.verified && (isSent ? html`<p role="status">${t("verify_sent")}</p>` : html`<div><${Button} busy=${send.busy} onClick=${send.run}>${t("verify_send")}</${Button}></div>`)}
    <${ProblemNote} problem=${send.problem} />
  </${Panel}>`;
}
