// The delivery log of one webhook: every message of the last seven days with its attempts; tests and replays.
import { html, useEffect, useState } from "../../core/html.js";
import { call, newKey } from "../../core/http.js";
import { useAct, useResource } from "../../core/resource.js";
import { formatDuration, formatNumber, formatTime } from "../../core/words.js";
import { Button } from "../../components/button.js";
import { Dialog } from "../../components/dialog.js";
import { Field } from "../../components/field.js";
import { Icon } from "../../components/icon.js";
import { Loading } from "../../components/loading.js";
import { ProblemNote } from "../../components/problem_note.js";
import { showToast } from "../../components/toasts.js";
import { t as common } from "../../components/words.js";
import { ListingEnd, useListing } from "../../components/listing.js";
import { Panel } from "./panel.js";
import { t } from "./words.js";

const LOOK_AGAIN_MS = 2000; // while a message is on its way
const REPLAY_HOURS = [1, 24, 168];
const STATE_BADGES = { delivered: "good", failed: "danger", pending: "warning", skipped: "" };

/** @param {{id: string}} props */
export function Deliveries({ id }) {
  const webhook = useResource((signal) => call("GET", `/webhooks/${id}`, { signal }), [id]);
  const deliveries = useListing(`/webhooks/${id}/deliveries`);
  const [isReplaying, setReplaying] = useState(false);
  const pending = deliveries.items.filter((each) => each.state === "pending");
  useEffect(() => {
    if (!pending.length) return undefined;
    const timer = setInterval(() => pending.slice(0, 5).forEach((each) => call("GET", `/webhooks/${id}/deliveries/${encodeURIComponent(each.id)}`).then(deliveries.put, () => {})), LOOK_AGAIN_MS);
    return () => clearInterval(timer);
  }, [pending.map((each) => each.id).join(" ")]);
  const test = useAct(async () => deliveries.put(await call("POST", `/webhooks/${id}/test`, { key: newKey() })));
  const replay = useAct(async (body) => {
    const { replayed } = await call("POST", `/webhooks/${id}/replay`, { body, key: newKey() });
    setReplaying(false);
    showToast(t("replayed", { count: formatNumber(replayed) }));
    deliveries.reload();
  });
  return html`<p><a class="row back" href="/account/webhooks"><${Icon} name="chevron_left" />${t("webhooks")}</a></p>
    <h1>${t("deliveries")}</h1>
    ${webhook.problem && html`<${ProblemNote} problem=${webhook.problem} retry=${webhook.reload} />`}
    <${Panel} title=${webhook.data?.url ?? ""} text=${webhook.data?.description || t("deliveries_text")} actions=${html`<div class="row wrap">
      <${Button} icon="send" busy=${test.busy} onClick=${test.run}>${t("send_test")}</${Button}>
      <${Button} icon="refresh" onClick=${() => setReplaying(true)}>${t("replay")}</${Button}></div>`}>
      <${ProblemNote} problem=${test.problem} />
      <ul class="rows" aria-label=${t("deliveries")}>${deliveries.items.map((delivery) => html`<${DeliveryRow} key=${delivery.id} webhook=${id} delivery=${delivery} again=${() => replay.run({ delivery_ids: [delivery.id] })} busy=${replay.busy} />`)}</ul>
      <${ListingEnd} listing=${deliveries} empty=${t("no_deliveries")} />
      ${!isReplaying && html`<${ProblemNote} problem=${replay.problem} />`}
    </${Panel}>
    ${isReplaying && html`<${ReplayDialog} replay=${replay} close=${() => setReplaying(false)} />`}`;
}

function DeliveryRow({ webhook, delivery, again, busy }) {
  const [isOpen, setOpen] = useState(false);
  const last = delivery.attempts[delivery.attempts.length - 1];
  return html`<li>
    <details class="stretch" onToggle=${(event) => setOpen(event.target.open)}>
      <summary><span class=${`badge ${STATE_BADGES[delivery.state]}`}>${t(`delivery_${delivery.state}`)}</span> <strong>${delivery.type}</strong>
        <span class="minor"> ${formatTime(delivery.created_at)} · ${t("tries", { count: delivery.tries })}${last ? ` · ${last.status || last.error}` : ""}${delivery.state === "pending" && delivery.next_at ? ` · ${t("next_at", { at: formatTime(delivery.next_at) })}` : ""}</span>
      </summary>
      ${isOpen && html`<${DeliveryDetails} webhook=${webhook} delivery=${delivery} />`}
    </details>
    <${Button} busy=${busy} onClick=${again}>${t("send_again")}</${Button}>
  </li>`;
}

function DeliveryDetails({ webhook, delivery }) {
  const full = useResource((signal) => call("GET", `/webhooks/${webhook}/deliveries/${encodeURIComponent(delivery.id)}`, { signal }), [delivery.id, delivery.tries, delivery.state]);
  if (full.problem) return html`<${ProblemNote} problem=${full.problem} retry=${full.reload} />`;
  if (!full.data) return html`<${Loading} />`;
  return html`<div class="stack">
    <p class="minor"><code>webhook-id: ${full.data.id}</code></p>
    ${full.data.attempts.length > 0 && html`<div class="scroll-x"><table>
      <thead><tr><th>${t("attempt_at")}</th><th>${t("answer")}</th><th class="number">${t("duration")}</th><th>${t("answer_text")}</th></tr></thead>
      <tbody>${full.data.attempts.map((attempt) => html`<tr key=${attempt.at}><td>${formatTime(attempt.at)}</td><td>${attempt.status || t("no_answer")}</td><td class="number">${formatDuration(attempt.duration_ms / 1000)}</td><td><code>${attempt.error || attempt.answer || "–"}</code></td></tr>`)}</tbody>
    </table></div>`}
    <pre class="payload" tabindex="0" aria-label=${t("payload")}>${JSON.stringify(full.data.payload, null, 2)}</pre>
  </div>`;
}

function ReplayDialog({ replay, close }) {
  const [hours, setHours] = useState(24);
  return html`<${Dialog} title=${t("replay")} close=${close} actions=${html`
    <${Button} onClick=${close}>${common("cancel")}</${Button}>
    <${Button} kind="primary" busy=${replay.busy} onClick=${() => replay.run({ since: new Date(Date.now() - hours * 3_600_000).toISOString() })}>${t("replay")}</${Button}>`}>
    <p>${t("replay_text")}</p>
    <${Field} kind="select" label=${t("replay_since")} value=${hours} onInput=${(event) => setHours(Number(event.target.value))}>
      ${REPLAY_HOURS.map((each) => html`<option key=${each} value=${each}>${t("last_hours", { span: formatDuration(each * 3600) })}</option>`)}
    </${Field}>
    <${ProblemNote} problem=${replay.problem} />
  </${Dialog}>`;
}
