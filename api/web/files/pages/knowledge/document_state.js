import { html } from "../../core/html.js";
import { inLanguage } from "../../core/http.js";
import { formatDuration, formatTime } from "../../core/words.js";
import { isOpen } from "./documents.js";
import { t } from "./words.js";

const KINDS = { indexed: "good", unchanged: "good", failed: "danger" };

/** The state of a document: how far it is and how long it takes, or how it ended. @param {{row: object}} props */
export function DocumentState({ row }) {
  const isUnderWay = isOpen(row.state);
  return html`<div class="state">
    <span class=${`badge ${KINDS[row.state] ?? ""}`}>${t(`state_${row.state}`)}</span>
    ${isUnderWay && !row.retry_at && html`<progress max="100" value=${row.state === "queued" ? null : row.percent} aria-label=${t(`state_${row.state}`)}></progress>`}
    ${isUnderWay && !row.retry_at && html`<span class="minor amount">${row.state === "queued" ? "" : `${row.percent} %`}${row.estimated_wait_s > 0 ? ` ${t("about", { wait: formatDuration(row.estimated_wait_s) })}` : ""}</span>`}
    ${row.state !== "failed" && row.retry_at && html`<span class="minor">${t("retry_at", { when: formatTime(row.retry_at) })}</span>`}
    ${row.visible_version !== null && row.visible_version !== row.version && row.state !== "unchanged" && html`<span class="minor">${t("old_version_visible")}</span>`}
  </div>`;
}

/** Why a document failed or waits, and what to do about it. @param {{problem: object | null}} props */
export function Cause({ problem }) {
  if (!problem) return null;
  const { title, detail, remedy } = inLanguage(problem);
  return html`<div class="cause">
    <p><strong>${title}</strong>${detail && detail !== title && detail !== remedy ? html` <span class="minor">${detail}</span>` : ""}</p>
    ${remedy && remedy !== title && html`<p>${remedy}</p>`}
  </div>`;
}
