import { html } from "../core/html.js";
import { Problem } from "../core/http.js";
import { formatDuration } from "../core/words.js";
import { Button } from "./button.js";
import { t } from "./words.js";

/**
 * What went wrong and what to do about it, as the API says it; errors of fields one by one.
 * @param {{problem: Error, retry?: () => void}} props
 */
export function ProblemNote({ problem, retry }) {
  if (!problem) return null;
  const known = problem instanceof Problem;
  if (!known) console.error(problem);
  const errors = known ? problem.errors.filter((error) => error.detail !== problem.title) : []; // the title has said it
  return html`<div class="problem" role="alert">
    <strong>${(known && problem.title) || t("problem")}</strong>
    ${problem.detail && problem.detail !== problem.title && html`<p>${problem.detail}</p>`}
    ${errors.length > 0 && html`<ul>${errors.map((error) => html`<li key=${error.field}><code>${error.field}</code> ${error.detail}</li>`)}</ul>`}
    ${problem.remedy && html`<p>${problem.remedy}</p>`}
    ${problem.retry_after_s > 0 && html`<p>${t("retry_after", { wait: formatDuration(problem.retry_after_s) })}</p>`}
    ${problem.request_id && html`<p class="minor">${t("request_id", { id: problem.request_id })}</p>`}
    ${retry && html`<${Button} icon="refresh" onClick=${retry}>${t("retry")}</${Button}>`}
  </div>`;
}
