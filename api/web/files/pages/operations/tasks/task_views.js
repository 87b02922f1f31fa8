// Parts of a task, as the list and the details show them.
import { html } from "../../../core/html.js";
import { formatNumber } from "../../../core/words.js";
import { formatSpan } from "../format.js";
import { t } from "../words.js";

const TONES = { PENDING: "", STARTED: "", RETRY: "warning", SUCCESS: "good", FAILURE: "danger", CANCELLED: "" };

export function StateBadge({ state }) {
  return html`<span class=${`badge ${TONES[state]}`}>${t(`task_${state}`)}</span>`;
}

export function Progress({ task }) {
  const { percent, done, total, unit } = task.progress;
  if (percent === null) return done ? `${formatNumber(done)} ${unit}` : "";
  return html`<span class="row"><progress max="100" value=${percent} aria-label=${t("progress")}></progress><span class="minor">${total ? `${formatNumber(done)} / ${formatNumber(total)} ${unit}` : `${percent} %`}</span></span>`;
}

export function durationOf(task) {
  return task.ended_at ? formatSpan((new Date(task.ended_at) - new Date(task.created_at)) / 1000) : "";
}
