import { html, useState } from "../../core/html.js";
import { formatNumber, formatPlace } from "../../core/words.js";
import { useAct } from "../../core/resource.js";
import { announce } from "../../components/announcer.js";
import { Button } from "../../components/button.js";
import { Field } from "../../components/field.js";
import { ProblemNote } from "../../components/problem_note.js";
import { documentUrl, search } from "./requests.js";
import { PassageText } from "./passage_text.js";
import { reasonOf } from "./search_reason.js";
import { SourceDialog } from "./source_dialog.js";
import { t } from "./words.js";

/** Tries what a question finds, with the scores of each leg and why the passages are in this order. */
export function SearchView({ base }) {
  const [values, setValues] = useState({ query: "", limit: 10, bm25_min: 0, dense_min: 0 });
  const [found, setFound] = useState(null);
  const [opened, setOpened] = useState(null);
  const act = useAct(async () => {
    const answer = await search(base.id, { ...values, limit: Number(values.limit), bm25_min: Number(values.bm25_min), dense_min: Number(values.dense_min) });
    setFound(answer);
    announce(t("passages_found", { count: formatNumber(answer.passages.length) }));
  });
  const input = (name) => ({ value: values[name], onInput: (event) => setValues({ ...values, [name]: event.target.value }) });
  return html`<section class="stack" aria-label=${t("part_search")}>
    <form class="stack" role="search" onSubmit=${(event) => (event.preventDefault(), values.query.trim() && act.run())}>
      <div class="row search-row">
        <div class="stretch"><label class="unseen" for="search-query">${t("query")}</label><input id="search-query" type="search" maxlength="8000" autocomplete="off" placeholder=${t("query_example")} ...${input("query")} /></div>
        <${Button} kind="primary" icon="search" type="submit" busy=${act.busy}>${t("search")}</${Button}>
      </div>
      <details><summary class="minor">${t("search_options")}</summary>
        <div class="options">
          <${Field} label=${t("limit")} type="number" min="1" max="50" ...${input("limit")} />
          <${Field} label=${t("bm25_min")} hint=${t("bm25_min_hint")} type="number" min="0" step="any" ...${input("bm25_min")} />
          <${Field} label=${t("dense_min")} hint=${t("dense_min_hint")} type="number" min="0" max="1" step="any" ...${input("dense_min")} />
        </div>
      </details>
    </form>
    <${ProblemNote} problem=${act.problem} />
    ${!found && !act.problem && html`<div class="card empty"><h2>${t("search_empty")}</h2><p class="minor">${t("search_empty_text")}</p></div>`}
    ${found && html`<div class="stack">
      <h2>${t("passages_found", { count: formatNumber(found.passages.length) })}</h2>
      ${found.keywords.length > 0 && html`<p class="row wrap minor">${t("keywords")} ${found.keywords.map((word) => html`<span key=${word} class="badge"><bdi>${word}</bdi></span>`)}</p>`}
      ${found.passages.length === 0 && html`<p>${t("search_nothing")}</p>`}
      ${found.passages.length > 0 && html`<details class="order"><summary>${t("order")}</summary><p class="minor">${t("order_text")}</p></details>`}
      <ol class="passages">${found.passages.map((passage, at) => html`<${Passage} key=${passage.chunk_id} passage=${passage} number=${at + 1} all=${found.passages} keywords=${found.keywords} open=${() => setOpened(passage)} />`)}</ol>
    </div>`}
    ${opened && html`<${SourceDialog} passage=${opened} close=${() => setOpened(null)} />`}
  </section>`;
}

function Passage({ passage, number, all, keywords, open }) {
  const { reason, values, words, meaning } = reasonOf(passage, all);
  return html`<li class="card">
    <header class="row wrap">
      <span class="rank" aria-hidden="true">${number}</span>
      <h3 class="stretch"><a href=${documentUrl(passage.knowledge_base_id, passage.document_id)}><bdi>${passage.title || passage.document_id}</bdi></a> <span class="minor"><bdi>${formatPlace(passage.locator)}</bdi></span></h3>
      <${Button} kind="quiet" icon="document" onClick=${open}>${t("place")}</${Button}>
    </header>
    <${PassageText} text=${passage.text} keywords=${keywords} />
    <dl class="scores">
      <${Score} name=${t("score_words")} share=${words} value=${passage.bm25} digits=${1} />
      <${Score} name=${t("score_meaning")} share=${meaning} value=${passage.dense} digits=${3} />
      <div><dt>${t("score_fused")}</dt><dd><strong>${formatNumber(passage.score, 3)}</strong></dd></div>
    </dl>
    <p class="minor">${t(reason, values)}</p>
  </li>`;
}

function Score({ name, share, value, digits }) {
  return html`<div><dt>${name}</dt><dd>${value > 0 ? html`<meter min="0" max="1" value=${share} aria-label=${name}></meter> ${formatNumber(value, digits)}` : html`<span class="minor">${t("score_none")}</span>`}</dd></div>`;
}
