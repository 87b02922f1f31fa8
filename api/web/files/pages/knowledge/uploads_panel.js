import { html, useRef } from "../../core/html.js";
import { formatBytes, formatNumber } from "../../core/words.js";
import { Button } from "../../components/button.js";
import { Icon } from "../../components/icon.js";
import { t as common } from "../../components/words.js";
import { Cause } from "./document_state.js";
import { t } from "./words.js";

const SHOWN_MAX = 40; // those that wait behind them are counted

/** What is on its way to the server, and what did not get there. */
export function UploadsPanel({ queue }) {
  const uploads = queue.uploads.value;
  if (!uploads.length) return null;
  const ended = uploads.filter(({ state }) => state === "failed" || state === "refused");
  const sorted = [...uploads].sort((one, other) => ORDER[one.state] - ORDER[other.state]);
  return html`<section class="card uploads" aria-label=${t("uploads")}>
    <header class="row">
      <h2 class="stretch">${t("uploads")} ${uploads.length > ended.length && html`<span class="minor">${t("uploads_left", { count: formatNumber(uploads.length - ended.length) })}</span>`}</h2>
      ${ended.length > 0 && html`<${Button} kind="quiet" onClick=${() => queue.clear()}>${t("clear_failed")}</${Button}>`}
    </header>
    <ul>
      ${sorted.slice(0, SHOWN_MAX).map((upload) => html`<${UploadRow} key=${upload.id} upload=${upload} queue=${queue} />`)}
    </ul>
    ${sorted.length > SHOWN_MAX && html`<p class="minor">${t("uploads_more", { count: formatNumber(sorted.length - SHOWN_MAX) })}</p>`}
  </section>`;
}

const ORDER = { failed: 0, refused: 1, pausing: 2, sending: 2, waiting: 3 };

function UploadRow({ upload, queue }) {
  const { id, name, state, sent, bytes, problem, refusal, bytesMax } = upload;
  const input = useRef(null);
  const hasFailed = state === "failed" || state === "refused";
  return html`<li class=${hasFailed ? "upload failed" : "upload"}>
    <${Icon} name=${hasFailed ? "warning" : upload.url ? "link" : "document"} />
    <div class="stretch">
      <p class="name"><bdi>${name}</bdi></p>
      ${state === "sending" && html`<p class="row minor"><progress max=${bytes || 1} value=${bytes ? Math.min(sent, bytes) : null} aria-label=${name}></progress><span class="amount">${bytes ? t("sent_of", { sent: formatBytes(Math.min(sent, bytes)), total: formatBytes(bytes) }) : t("sending")}</span></p>`}
      ${state === "waiting" && html`<p class="minor">${t("waiting")}</p>`}
      ${state === "pausing" && html`<p class="minor">${problem.title} ${t("tries_again")}</p>`}
      ${state === "refused" && html`<p class="cause">${t(`refused_${refusal}`, { size: formatBytes(bytes), max: formatBytes(bytesMax ?? 0) })}</p>`}
      ${state === "failed" && html`<${Cause} problem=${problem.title ? problem : { title: common("problem"), detail: problem.message }} />`}
    </div>
    ${state === "failed" && (upload.file || upload.url
      ? html`<${Button} icon="refresh" onClick=${() => queue.retry(id)}>${common("retry")}</${Button}>`
      : html`<${Button} icon="document" onClick=${() => input.current.click()}>${t("choose_again")}</${Button}><input ref=${input} type="file" hidden aria-label=${t("choose_again")} onChange=${(event) => event.target.files.length && queue.retry(id, event.target.files[0])} />`)}
    <${Button} kind="quiet" icon="close" label=${`${t(hasFailed ? "remove_upload" : "stop_upload")}: ${name}`} onClick=${() => queue.remove(id)} />
  </li>`;
}
