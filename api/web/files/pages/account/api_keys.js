// Keys for programs: created, rotated, revoked.
import { html, useState } from "../../core/html.js";
import { call } from "../../core/http.js";
import { useAct } from "../../core/resource.js";
import { hasRole } from "../../core/session.js";
import { formatTime } from "../../core/words.js";
import { Button } from "../../components/button.js";
import { Confirmation, Dialog } from "../../components/dialog.js";
import { Field, errorOf } from "../../components/field.js";
import { Menu } from "../../components/menu.js";
import { ProblemNote } from "../../components/problem_note.js";
import { showToast } from "../../components/toasts.js";
import { t as common } from "../../components/words.js";
import { useActKey } from "./act_key.js";
import { ListingEnd, useListing } from "../../components/listing.js";
import { Panel } from "./panel.js";
import { ShownOnce } from "./shown_once.js";
import { WidgetKeyDialog } from "./widget_key_dialog.js";
import { t } from "./words.js";

const SCOPES = ["chat", "knowledge:read", "knowledge:write", "webhooks", "ops"];
const LIFE_DAYS = [30, 90, 365];
const OVERLAPS_S = [0, 3600, 86_400, 604_800];
const DAY_MS = 86_400_000;

export default function ApiKeys() {
  const keys = useListing("/api-keys");
  const [doing, setDoing] = useState(null); // {act: "create" | "rotate" | "rename" | "revoke", key}
  const [shown, setShown] = useState(null); // a key with its secret
  const close = () => setDoing(null);
  const created = ({ key, ...rest }) => {
    keys.put(rest);
    setDoing(null);
    setShown({ key, name: rest.name, isWidget: Boolean(rest.widget) });
  };
  return html`<h1>${t("keys")}</h1>
    <${Panel} title=${t("your_keys")} text=${t("keys_text")} actions=${html`<div class="row wrap"><${Button} icon="add" onClick=${() => setDoing({ act: "embed" })}>${t("create_widget_key")}</${Button}><${Button} kind="primary" icon="add" onClick=${() => setDoing({ act: "create" })}>${t("create_key")}</${Button}></div>`}>
      <ul class="rows" aria-label=${t("your_keys")}>
        ${keys.items.map((key) => html`<${KeyRow} key=${key.id} apiKey=${key} choose=${(act) => setDoing({ act, key })} />`)}
      </ul>
      <${ListingEnd} listing=${keys} empty=${t("no_keys")} />
    </${Panel}>
    ${doing?.act === "create" && html`<${CreateDialog} created=${created} close=${close} />`}
    ${doing?.act === "embed" && html`<${WidgetKeyDialog} created=${created} close=${close} />`}
    ${doing?.act === "rename" && html`<${RenameDialog} apiKey=${doing.key} renamed=${(key) => (keys.put(key), close())} close=${close} />`}
    ${doing?.act === "rotate" && html`<${RotateDialog} apiKey=${doing.key} rotated=${created} close=${close} />`}
    ${doing?.act === "revoke" && html`<${RevokeDialog} apiKey=${doing.key} revoked=${() => (keys.remove(doing.key.id), close())} close=${close} />`}
    ${shown && html`<${ShownOnce} title=${t("key_of", { name: shown.name })} text=${t("key_once")} value=${shown.key} close=${() => setShown(null)}>
      ${shown.isWidget && html`<p><a href=${`/embed#key=${encodeURIComponent(shown.key)}`}>${t("try_widget")}</a></p>`}
    </${ShownOnce}>`}`;
}

function KeyRow({ apiKey, choose }) {
  const isExpired = apiKey.expires_at && Date.parse(apiKey.expires_at) < Date.now();
  const overlaps = apiKey.previous_until && Date.parse(apiKey.previous_until) > Date.now();
  return html`<li>
    <div class="stretch">
      <p class="row wrap"><strong>${apiKey.name}</strong>${apiKey.widget && html`<span class="badge">${t("widget")}</span>`}${apiKey.scopes.map((scope) => html`<span key=${scope} class="badge">${t(scopeWord(scope))}</span>`)}${isExpired && html`<span class="badge danger">${t("expired")}</span>`}</p>
      <p class="minor">${[
        apiKey.last_used_at ? t("last_used", { at: formatTime(apiKey.last_used_at) }) : t("never_used"),
        t("created_at", { at: formatTime(apiKey.created_at) }),
        apiKey.expires_at ? t("expires_at", { at: formatTime(apiKey.expires_at) }) : t("expires_never"),
        apiKey.widget ? apiKey.widget.origins.join(", ") : "",
        apiKey.addresses.length ? t("only_from", { addresses: apiKey.addresses.join(", ") }) : "",
        overlaps ? t("old_secret_until", { at: formatTime(apiKey.previous_until) }) : "",
      ].filter(Boolean).join(" · ")}</p>
    </div>
    <${Menu} label=${t("actions_of", { name: apiKey.name })} items=${[
      { label: t("rename"), run: () => choose("rename") },
      { label: t("rotate"), run: () => choose("rotate") },
      { label: t("revoke"), danger: true, run: () => choose("revoke") },
    ]} />
  </li>`;
}

function scopeWord(scope) {
  return `scope_${scope.replace(":", "_")}`;
}

function CreateDialog({ created, close }) {
  const [form, setForm] = useState({ name: "", scopes: ["chat", "knowledge:read", "knowledge:write"], days: 90, addresses: "", mode: "" });
  const key = useActKey(form);
  const [now] = useState(Date.now); // a repeat of the request is the same request
  const create = useAct(async () =>
    created(
      await call("POST", "/api-keys", {
        key,
        body: {
          name: form.name,
          scopes: form.scopes,
          expires_at: form.days ? new Date(now + form.days * DAY_MS).toISOString() : null,
          mode: form.mode || null,
          addresses: form.addresses.split(/[\s,;，；]+/).filter(Boolean),
        },
      }),
    ),
  );
  const change = (name) => (event) => setForm({ ...form, [name]: event.target.value });
  const submit = (event) => (event.preventDefault(), create.run());
  return html`<${Dialog} title=${t("create_key")} close=${close} actions=${html`
    <${Button} onClick=${close}>${common("cancel")}</${Button}>
    <${Button} kind="primary" type="submit" form="create-key" busy=${create.busy}>${t("create_key")}</${Button}>`}>
    <form id="create-key" class="stack" onSubmit=${submit}>
      <${Field} label=${t("key_name")} name="name" required maxlength="100" hint=${t("key_name_hint")} value=${form.name} onInput=${change("name")} error=${errorOf(create.problem, "body.name")} />
      <fieldset class="choices"><legend>${t("scopes")}</legend>
        ${SCOPES.filter((scope) => scope !== "ops" || hasRole("operator")).map(
          (scope) => html`<label key=${scope} class="choice"><input type="checkbox" checked=${form.scopes.includes(scope)} onChange=${(event) => setForm({ ...form, scopes: event.target.checked ? [...form.scopes, scope] : form.scopes.filter((each) => each !== scope) })} />
            <span><span>${t(scopeWord(scope))}</span><span class="minor">${t(`${scopeWord(scope)}_hint`)}</span></span></label>`,
        )}
      </fieldset>
      <${Field} kind="select" label=${t("expiry")} value=${form.days} onInput=${(event) => setForm({ ...form, days: Number(event.target.value) })}>
        ${LIFE_DAYS.map((days) => html`<option key=${days} value=${days}>${t("days", { days })}</option>`)}
        <option value="0">${t("expires_never")}</option>
      </${Field}>
      <${Field} kind="select" label=${t("key_mode")} value=${form.mode} onInput=${change("mode")}>
        <option value="">${t("key_mode_free")}</option><option value="grounded">${t("key_mode_grounded")}</option><option value="assistant">${t("key_mode_assistant")}</option>
      </${Field}>
      <${Field} label=${t("addresses")} placeholder="203.0.113.0/24, 2001:db8::/48" hint=${t("addresses_hint")} value=${form.addresses} onInput=${change("addresses")} error=${errorOf(create.problem, "body.addresses")} />
      <${ProblemNote} problem=${create.problem} />
    </form>
  </${Dialog}>`;
}

function RenameDialog({ apiKey, renamed, close }) {
  const [name, setName] = useState(apiKey.name);
  const rename = useAct(async () => renamed(await call("PATCH", `/api-keys/${apiKey.id}`, { body: { name } })));
  return html`<${Dialog} title=${t("rename")} close=${close} actions=${html`
    <${Button} onClick=${close}>${common("cancel")}</${Button}>
    <${Button} kind="primary" type="submit" form="rename-key" busy=${rename.busy}>${t("save")}</${Button}>`}>
    <form id="rename-key" class="stack" onSubmit=${(event) => (event.preventDefault(), rename.run())}>
      <${Field} label=${t("key_name")} required maxlength="100" value=${name} onInput=${(event) => setName(event.target.value)} error=${errorOf(rename.problem, "body.name")} />
      <${ProblemNote} problem=${rename.problem} />
    </form>
  </${Dialog}>`;
}

function RotateDialog({ apiKey, rotated, close }) {
  const [overlap, setOverlap] = useState(86_400);
  const key = useActKey(overlap);
  const rotate = useAct(async () => rotated(await call("POST", `/api-keys/${apiKey.id}/rotate`, { key, body: { overlap_s: overlap } })));
  return html`<${Dialog} title=${t("rotate_title", { name: apiKey.name })} close=${close} actions=${html`
    <${Button} onClick=${close}>${common("cancel")}</${Button}>
    <${Button} kind="primary" busy=${rotate.busy} onClick=${rotate.run}>${t("rotate")}</${Button}>`}>
    <p>${t("rotate_text")}</p>
    <${Field} kind="select" label=${t("overlap")} value=${overlap} onInput=${(event) => setOverlap(Number(event.target.value))}>
      ${OVERLAPS_S.map((seconds) => html`<option key=${seconds} value=${seconds}>${t(`overlap_${seconds}`)}</option>`)}
    </${Field}>
    <${ProblemNote} problem=${rotate.problem} />
  </${Dialog}>`;
}

function RevokeDialog({ apiKey, revoked, close }) {
  const revoke = useAct(async () => {
    await call("DELETE", `/api-keys/${apiKey.id}`);
    showToast(t("key_revoked"));
    revoked();
  });
  return html`<${Confirmation} title=${t("revoke_title", { name: apiKey.name })} text=${t("revoke_text")} label=${t("revoke")} run=${revoke.run} busy=${revoke.busy} problem=${html`<${ProblemNote} problem=${revoke.problem} />`} close=${close} />`;
}
