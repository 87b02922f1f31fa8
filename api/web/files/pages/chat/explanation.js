import { html } from "../../core/html.js";
import { call } from "../../core/http.js";
import { useResource } from "../../core/resource.js";
import { formatDuration, formatNumber, formatPlace } from "../../core/words.js";
import { Dialog } from "../../components/dialog.js";
import { Loading } from "../../components/loading.js";
import { ProblemNote } from "../../components/problem_note.js";
import { t } from "./words.js";

/** Why an answer is as it is: what was searched for and found, what the model got, how long it took. @param {{path: string, close: () => void}} props */
export function Explanation({ path, close }) {
  const explained = useResource((signal) => call("GET", path, { signal }), [path]);
  const it = explained.data;
  return html`<${Dialog} wide title=${t("explanation")} close=${close}>
    ${explained.problem && html`<${ProblemNote} problem=${explained.problem} retry=${explained.reload} />`}
    ${!it && !explained.problem && html`<${Loading} />`}
    ${it && html`<div class="explanation stack">
      ${it.retrieval && html`<${Search} retrieval=${it.retrieval} />`}
      ${it.passages.length > 0 && html`<${Passages} passages=${it.passages} />`}
      <section><h3>${t("explain_model")}</h3>
        <p>${t("explain_model_line", { model: it.model || it.provider, prompt: formatNumber(it.usage.prompt_tokens), completion: formatNumber(it.usage.completion_tokens) })}${it.attempts.length > 1 && ` · ${t("explain_attempts", { count: it.attempts.length })}`}</p>
      </section>
      ${it.hops.length > 0 && html`<section><h3>${t("explain_times")}</h3><ol class="hops">${it.hops.map((hop) => html`<li key=${hop.name}><span class="minor">${t(`hop_${hop.name}`)}</span> ${formatDuration(hop.ms / 1000)}</li>`)}</ol></section>`}
      ${it.prompt && html`<details><summary>${t("explain_prompt")}</summary>
        ${!it.prompt.exact && html`<p class="minor">${t("explain_prompt_inexact")}</p>`}
        ${it.prompt.messages.map((message, number) => html`<figure key=${number} class="prompt"><figcaption class="minor">${message.role}</figcaption><pre>${message.content}</pre></figure>`)}
      </details>`}
      ${Object.keys(it.missing).length > 0 && html`<p class="minor">${t("explain_missing")}: ${Object.entries(it.missing).map(([part, reason]) => `${part} (${reason})`).join("; ")}</p>`}
    </div>`}
  </${Dialog}>`;
}

function Search({ retrieval }) {
  return html`<section><h3>${t("explain_search")}</h3>
    <dl class="facts">
      <dt>${t("explain_query")}</dt><dd>${retrieval.query}${retrieval.condensed_by && html`<span class="minor"> ${t("explain_condensed", { by: retrieval.condensed_by })}</span>`}</dd>
      ${retrieval.keywords.length > 0 && html`<dt>${t("explain_keywords")}</dt><dd>${retrieval.keywords.join(" · ")}</dd>`}
      ${retrieval.reranked_by && html`<dt>${t("explain_reranked")}</dt><dd>${retrieval.reranked_by}</dd>`}
    </dl>
    ${retrieval.problem && html`<p class="field-error">${t("explain_problem", { title: retrieval.problem.title })}</p>`}
  </section>`;
}

function Passages({ passages }) {
  return html`<section><h3>${t("explain_passages")}</h3>
    <div class="scroll-x" tabindex="0"><table>
      <thead><tr><th class="number">${t("explain_rank")}</th><th>${t("explain_title")}</th><th class="number">${t("explain_score")}</th><th>${t("explain_use")}</th></tr></thead>
      <tbody>${passages.map(
        (passage) => html`<tr key=${passage.marker}>
          <td class="number">${passage.marker}</td>
          <td><strong>${passage.title}</strong> <span class="minor">${formatPlace(passage.locator)}</span><details><summary class="minor">${t("explain_text")}</summary><p class="passage-text">${passage.text}</p></details></td>
          <td class="number">${formatNumber(passage.score, 4)}</td>
          <td><span class=${passage.cited ? "badge good" : "badge"}>${t(passage.cited ? "explain_cited" : passage.offered ? "explain_offered" : "explain_left_out")}</span></td>
        </tr>`,
      )}</tbody>
    </table></div>
  </section>`;
}
