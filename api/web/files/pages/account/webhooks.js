// Endpoints that get events of the account, and what became of each message.
import { html, useState } from "../../core/html.js";
import { call, newKey } from "../../core/http.js";
import { useAct } from "../../core/resource.js";
import { place } from "../../core/router.js";
import { formatTime } from "../../core/words.js";
import { Button } from "../../components/button.js";
import { Confirmation, Dialog } from "../../components/dialog.js";
import { Field, errorOf } from "../../components/field.js";
import { Menu } from "../../components/menu.js";
import { ProblemNote } from "../../components/problem_note.js";
import { showProblem, showToast } from "../../components/toasts.js";
import { t as common } from "../../components/words.js";
import { useActKey } from "./act_key.js";
import { ListingEnd, useListing } from "../../components/listing.js";
import { Panel } from "./panel.js";
import { ShownOnce } from "./shown_once.js";
import { Deliveries } from "./webhook_deliveries.js";
import { t } from "./words.js";

const EVENTS = ["document.indexed", "document.failed", "reply.completed", "notice.created"];

export default function Webhooks() {
  const id = place.value.parts[2];
  return id ? html`<${Deliveries} key=${id} id=${id} />` : html`<${WebhookList} />`;
}

function WebhookList() {
  const webhooks = useListing("/webhooks");
  const [doing, setDoing] = useState(null); // {act: "create" | "edit" | "rotate" | "delete", webhook}
  const [secret, setSecret] = useState("");
  const close = () => setDoing(null);
  const saved = ({ secret: made, ...webhook }) => {
    webhooks.put(webhook);
    close();
    if (made) setSecret(made);
  };
  const switchTo = async (webhook, enabled) => {
    try {
      webhooks.put(await call("PATCH", `/webhooks/${webhook.id}`, { body: { enabled } }));
      showToast(t(enabled ? "switched_on" : "switched_off"));
    } catch (problem) {
      showProblem(problem);
    }
  };
  return html`<h1>${t("webhooks")}</h1>
    <${Panel} title=${t("your_webhooks")} text=${t("webhooks_text")} actions=${html`<${Button} kind="primary" icon="add" onClick=${() => setDoing({ act: "create" })}>${t("create_webhook")}</${Button}>`}>
      <ul class="rows" aria-label=${t("your_webhooks")}>
        ${webhooks.items.map((webhook) => html`<${WebhookRow} key=${webhook.id} webhook=${webhook} choose=${(act) => setDoing({ act, webhook })} switchTo=${switchTo} />`)}
      </ul>
      <${ListingEnd} listing=${webhooks} empty=${t("no_webhooks")} />
    </${Panel}>
    ${(doing?.act === "create" || doing?.act === "edit") && html`<${WebhookDialog} webhook=${doing.webhook} saved=${saved} close=${close} />`}
    ${doing?.act === "rotate" && html`<${RotateDialog} webhook=${doing.webhook} rotated=${saved} close=${close} />`}
    ${doing?.act === "delete" && html`<${DeleteDialog} webhook=${doing.webhook} deleted=${() => (webhooks.remove(doing.webhook.id), close())} close=${close} />`}
    ${secret && html`<${ShownOnce} title=${t("webhook_secret")} text=${t("webhook_secret_once")} value=${secret} close=${() => setSecret("")} />`}`;
}

function WebhookRow({ webhook, choose, switchTo }) {
  return html`<li>
    <div class="stretch">
      <p class="row wrap"><a href=${`/account/webhooks/${webhook.id}`}><strong>${webhook.url}</strong></a>
        ${webhook.enabled ? (webhook.failing_since ? html`<span class="badge warning">${t("failing_since", { at: formatTime(webhook.failing_since) })}</span>` : html`<span class="badge good">${t("on")}</span>`) : html`<span class="badge danger">${t(`off_${webhook.disabled}`)}</span>`}</p>
      ${webhook.description && html`<p>${webhook.description}</p>`}
      <p class="minor">${webhook.event_types.length ? webhook.event_types.join(", ") : t("all_events")} · <a href=${`/account/webhooks/${webhook.id}`}>${t("deliveries")}</a>${webhook.rotating_until && Date.parse(webhook.rotating_until) > Date.now() ? ` · ${t("rotating_until", { at: formatTime(webhook.rotating_until) })}` : ""}</p>
    </div>
    <${Menu} label=${t("actions_of", { name: webhook.url })} items=${[
      { label: t("edit"), run: () => choose("edit") },
      { label: t(webhook.enabled ? "switch_off" : "switch_on"), run: () => switchTo(webhook, !webhook.enabled) },
      { label: t("rotate_secret"), run: () => choose("rotate") },
      { label: t("delete"), danger: true, run: () => choose("delete") },
    ]} />
  </li>`;
}

function WebhookDialog({ webhook, saved, close }) {
  const [form, setForm] = useState({ url: webhook?.url ?? "", description: webhook?.description ?? "", event_types: webhook?.event_types ?? [] });
  const key = useActKey(form);
  const save = useAct(async () => saved(await (webhook ? call("PATCH", `/webhooks/${webhook.id}`, { body: form }) : call("POST", "/webhooks", { body: form, key }))));
  const input = (name) => ({ name, value: form[name], error: errorOf(save.problem, `body.${name}`), onInput: (event) => setForm({ ...form, [name]: event.target.value }) });
  return html`<${Dialog} title=${t(webhook ? "edit_webhook" : "create_webhook")} close=${close} actions=${html`
    <${Button} onClick=${close}>${common("cancel")}</${Button}>
    <${Button} kind="primary" type="submit" form="webhook" busy=${save.busy}>${t("save")}</${Button}>`}>
    <form id="webhook" class="stack" onSubmit=${(event) => (event.preventDefault(), save.run())}>
      <${Field} label=${t("webhook_url")} type="url" required maxlength="2048" placeholder="https://hooks.example.com/claw" ...${input("url")} />
      <${Field} label=${t("description")} maxlength="500" ...${input("description")} />
      <fieldset class="choices"><legend>${t("events")}</legend><p class="minor">${t("events_hint")}</p>
        ${EVENTS.map(
          (type) => html`<label key=${type} class="choice"><input type="checkbox" checked=${form.event_types.includes(type)} onChange=${(event) => setForm({ ...form, event_types: event.target.checked ? [...form.event_types, type] : form.event_types.filter((each) => each !== type) })} />
            <span><span>${t(`event_${type.replace(".", "_")}`)}</span><code class="minor">${type}</code></span></label>`,
        )}
      </fieldset>
      <${ProblemNote} problem=${save.problem} />
    </form>
  </${Dialog}>`;
}

function RotateDialog({ webhook, rotated, close }) {
  const [key] = useState(newKey);
  const rotate = useAct(async () => rotated(await call("POST", `/webhooks/${webhook.id}/secret`, { key })));
  return html`<${Dialog} title=${t("rotate_secret")} close=${close} actions=${html`
    <${Button} onClick=${close}>${common("cancel")}</${Button}>
    <${Button} kind="primary" busy=${rotate.busy} onClick=${rotate.run}>${t("rotate_secret")}</${Button}>`}>
    <p>${t("rotate_secret_text")}</p><${ProblemNote} problem=${rotate.problem} />
  </${Dialog}>`;
}

function DeleteDialog({ webhook, deleted, close }) {
  const remove = useAct(async () => {
    await call("DELETE", `/webhooks/${webhook.id}`);
    showToast(t("webhook_deleted"));
    deleted();
  });
  return html`<${Confirmation} title=${t("delete_webhook")} text=${t("delete_webhook_text", { url: webhook.url })} label=${t("delete")} run=${remove.run} busy=${remove.busy} problem=${html`<${ProblemNote} problem=${remove.problem} />`} close=${close} />`;
}
