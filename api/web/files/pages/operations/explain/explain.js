// Why an answer was given: the question, what was searched for, the passages with their scores, and the answer with its citations.
import { html, useState } from "../../../core/html.js";
import { call, newKey } from "../../../core/http.js";
import { useResource } from "../../../core/resource.js";
import { navigate, place } from "../../../core/router.js";
import { Button } from "../../../components/button.js";
import { Field } from "../../../components/field.js";
import { Loading } from "../../../components/loading.js";
import { ProblemNote } from "../../../components/problem_note.js";
import { pathOf } from "../sections.js";
import { t } from "../words.js";
import { Explanation } from "./explanation.js";
import { findReply } from "./reply_ids.js";

const SEARCHED = 50; // passages, for the scores of each leg

export default function Explain() {
  const reply = place.value.parts[2];
  const conversation = place.value.query.get("conversation") || "";
  const [text, setText] = useState(reply ?? "");
  const [error, setError] = useState("");
  const open = (event) => {
    event.preventDefault();
    const found = findReply(text);
    setError(found ? "" : t("no_reply_id"));
    if (found) navigate(pathOf("explain", found.reply) + (found.conversation ? `?conversation=${found.conversation}` : ""));
  };
  return html`
    <header><h1>${t("section_explain")}</h1></header>
    <form class="ask" onSubmit=${open}>
      <${Field} label=${t("reply_id")} name="reply" value=${text} hint=${t("reply_id_hint")} error=${error} autocomplete="off" onInput=${(event) => setText(event.target.value)} />
      <${Button} kind="primary" type="submit">${t("explain_it")}</${Button}>
    </form>
    ${reply ? html`<${Found} key=${`${reply} ${conversation}`} reply=${reply} conversation=${conversation} />` : html`<${RecentAnswers} />`}`;
}

function Found({ reply, conversation }) {
  const found = useResource((signal) => readExplanation(reply, conversation, signal), []);
  if (!found.data) return found.problem ? html`<${ProblemNote} problem=${found.problem} retry=${found.reload} />` : html`<${Loading} />`;
  return html`<${Explanation} explanation=${found.data.explanation} legs=${found.data.legs} />`;
}

/** The explanation, and what each leg of a search for the same finds now; null where the knowledge bases may not be read. */
async function readExplanation(reply, conversation, signal) {
  const of = conversation || (await conversationOf(reply, signal));
  const path = of ? `/conversations/${of}/replies/${reply}/explain` : `/knowledge/queries/${reply}/explain`;
  const explanation = await call("GET", path, { signal });
  const { question, retrieval } = explanation;
  if (!retrieval?.query || !question?.knowledge_base_ids.length) return { explanation, legs: null };
  const body = { query: retrieval.query.slice(0, 8000), knowledge_base_ids: question.knowledge_base_ids, limit: SEARCHED };
  const legs = await call("POST", "/knowledge/search", { body, key: newKey(), signal }).then((answer) => answer.passages, () => null);
  return { explanation, legs };
}

/** The conversation of a reply, as its task knows it; "" when there is none. */
async function conversationOf(reply, signal) {
  try {
    return (await call("GET", `/tasks/${reply}`, { signal })).subject.conversation_id || "";
  } catch (problem) {
    if (problem.status === 404) return "";
    throw problem;
  }
}

/** Answers that ended lately, to begin with. */
function RecentAnswers() {
  const tasks = useResource((signal) => call("GET", "/tasks?kind=generate_ai_response&limit=10", { signal }), []);
  const ended = (tasks.data?.items ?? []).filter((task) => task.ended_at);
  if (!tasks.data) return tasks.problem ? html`<${ProblemNote} problem=${tasks.problem} retry=${tasks.reload} />` : html`<${Loading} />`;
  if (!ended.length) return html`<p class="empty">${t("no_answers")}</p>`;
  return html`<section class="stack"><h2>${t("recent_answers")}</h2><ul class="plain-list">
    ${ended.map((task) => html`<li key=${task.id}><a href=${`${pathOf("explain", task.id)}?conversation=${task.subject.conversation_id}`}>${new Date(task.created_at).toLocaleString()}</a> <code class="minor">${task.id}</code></li>`)}
  </ul></section>`;
}
