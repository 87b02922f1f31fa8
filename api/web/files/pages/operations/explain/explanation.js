import { html } from "../../../core/html.js";
import { formatNumber, formatPlace, formatTime } from "../../../core/words.js";
import { Figure, Figures } from "../figure.js";
import { formatSpan } from "../format.js";
import { t } from "../words.js";
import { legScores } from "./reply_ids.js";

const MICROS = 1e6;
const TONES = { completed: "good", answered: "good", complete: "good", failed: "danger", cancelled: "" };

/** The steps from the question to the answer, one below the other. @param {{explanation: any, legs: any[] | null}} props */
export function Explanation({ explanation, legs }) {
  const { question, retrieval, passages, missing } = explanation;
  return html`
    <${Summary} explanation=${explanation} />
    ${Object.entries(missing).map(([part, why]) => html`<p key=${part} class="notice">${t("missing_part", { part, why })}</p>`)}
    <ol class="steps">
      ${question && html`<${Step} title=${t("step_question")} at=${explanation.hops.find((hop) => hop.name === "asked")}>
        <p class="quote">${question.content}</p>
        <p class="minor">${t("question_of", { time: formatTime(question.asked_at), count: formatNumber(question.history_messages), mode: question.mode })}</p>
        ${question.summary && html`<details><summary>${t("summary")}</summary><p>${question.summary}</p></details>`}
        ${question.system_prompt && html`<details><summary>${t("system_prompt")}</summary><pre tabindex="0">${question.system_prompt}</pre></details>`}
      </${Step}>`}
      ${retrieval && html`<${Step} title=${t("step_query")} ms=${explanation.timings_ms.condense}>
        ${retrieval.courtesy ? html`<p>${t("courtesy")}</p>` : html`
          <p class="quote">${retrieval.query}</p>
          <p class="minor">${retrieval.condensed_by === "" ? t("condensed_not") : retrieval.condensed_by === "rules" ? t("condensed_rules") : t("condensed_by", { model: retrieval.condensed_by })}</p>
          <p class="row wrap">${t("keywords")} ${retrieval.keywords.map((word) => html`<span key=${word} class="badge">${word}</span>`)}</p>`}
        ${retrieval.problem && html`<p class="notice danger">${retrieval.problem.title}</p>`}
      </${Step}>`}
      ${retrieval && !retrieval.courtesy && html`<${Step} title=${t("step_passages", { count: formatNumber(passages.length) })} ms=${explanation.timings_ms.retrieve}>
        <p class="minor">${retrieval.reranked_by ? t("reranked_by", { model: retrieval.reranked_by }) : t("fused")}${legs ? ` ${t("legs_now")}` : ""}</p>
        ${passages.length ? html`<ol class="passages">${passages.map((passage) => html`<${Passage} key=${passage.marker} passage=${passage} legs=${legs && legScores(passage, legs)} best=${Math.max(...passages.map((each) => each.score))} />`)}</ol>` : html`<p>${t("no_passages")}</p>`}
      </${Step}>`}
      <${Step} title=${t("step_answer")} ms=${explanation.timings_ms.generate}>
        ${explanation.problem && html`<div class="notice danger"><strong>${explanation.problem.title}</strong> ${explanation.problem.detail}</div>`}
        ${explanation.text && html`<p class="quote answer">${explanation.text}</p>`}
        ${explanation.citations.length > 0 && html`<ul class="citations">${explanation.citations.map((citation, index) => html`<li key=${index}><span class="badge good">${citation.marker}</span> <strong>${citation.title}</strong> <span class="minor">${formatPlace(citation.locator)}</span><blockquote>${citation.quote}</blockquote></li>`)}</ul>`}
        <p class="minor">${t("attempts_of", { count: explanation.attempts.length })}</p>
        ${explanation.feedback && html`<p>${t("feedback_of", { rating: t(`rating_${explanation.feedback.rating}`), comment: explanation.feedback.comment })}</p>`}
      </${Step}>
    </ol>
    ${explanation.prompt && html`<${Prompt} prompt=${explanation.prompt} />`}`;
}

function Summary({ explanation }) {
  const { usage } = explanation;
  return html`<${Figures}>
    <${Figure} label=${t("outcome")} value=${t(`answer_${explanation.outcome ?? explanation.state}`)} of=${explanation.finish_reason} state=${TONES[explanation.outcome ?? explanation.state] ?? ""} />
    <${Figure} label=${t("model")} value=${explanation.model || null} of=${explanation.cached ? t("from_cache") : explanation.provider} />
    <${Figure} label=${t("first_word")} value=${explanation.timings_ms.first_text === undefined ? null : formatSpan(explanation.timings_ms.first_text / 1000)} of=${explanation.timings_ms.total === undefined ? "" : t("total_of", { time: formatSpan(explanation.timings_ms.total / 1000) })} />
    <${Figure} label=${t("tokens")} value=${formatNumber(usage.prompt_tokens + usage.completion_tokens)} of=${t("tokens_of", { prompt: formatNumber(usage.prompt_tokens), completion: formatNumber(usage.completion_tokens) })} />
    <${Figure} label=${t("cost")} value=${formatNumber(explanation.cost_micros / MICROS, 4)} of=${t("in_currency")} />
  </${Figures}>`;
}

function Step({ title, ms, at, children }) {
  return html`<li class="step"><header class="row wrap"><h2>${title}</h2>${ms !== undefined && html`<span class="badge">${formatSpan(ms / 1000)}</span>`}${at && html`<span class="minor">${at.name === "asked" ? "" : formatSpan(at.ms / 1000)}</span>`}</header>${children}</li>`;
}

function Passage({ passage, legs, best }) {
  return html`<li class=${`passage${passage.cited ? " cited" : ""}`} value=${passage.marker}>
    <header class="row wrap">
      <strong>${passage.title}</strong><span class="minor">${formatPlace(passage.locator)} · ${t("version_of", { version: passage.version })}</span><span class="stretch"></span>
      ${passage.cited ? html`<span class="badge good">${t("cited")}</span>` : !passage.offered ? html`<span class="badge warning">${t("not_offered")}</span>` : ""}
    </header>
    <dl class="scores">
      <div><dt>${t("score")}</dt><dd><meter min="0" max=${Math.max(best, 0.001)} value=${passage.score} aria-label=${t("score")}></meter> <strong>${formatNumber(passage.score, 3)}</strong></dd></div>
      ${legs && html`<div><dt>${t("by_words")}</dt><dd>${formatNumber(legs.bm25, 2)}</dd></div><div><dt>${t("by_meaning")}</dt><dd>${formatNumber(legs.dense, 3)}</dd></div>`}
    </dl>
    <details><summary>${t("passage_text")}</summary><p class="quote">${passage.text}</p></details>
  </li>`;
}

function Prompt({ prompt }) {
  return html`<details class="card"><summary>${t(prompt.exact ? "prompt_exact" : "prompt_rebuilt")}</summary>
    ${prompt.messages.map((message, index) => html`<div key=${index}><h3>${message.role}</h3><pre tabindex="0">${message.content}</pre></div>`)}
    <p class="minor">SHA-256 <code>${prompt.sha256}</code></p>
  </details>`;
}
