import { html, useEffect, useMemo, useRef, useSignal, useState } from "../../core/html.js";
import { lazy } from "../../core/lazy.js";
import { copyText } from "../../core/clipboard.js";
import { Markdown } from "../../core/markdown/markdown.js";
import { formatDuration, formatNumber } from "../../core/words.js";
import { Button } from "../../components/button.js";
import { Icon } from "../../components/icon.js";
import { ProblemNote } from "../../components/problem_note.js";
import { showToast } from "../../components/toasts.js";
import { t as common } from "../../components/words.js";
import { Problem } from "../../core/http.js";
import { BranchWalker } from "./branch_walker.js";
import { CitationMarker, SourceList } from "./citations.js";
import { t } from "./words.js";

const Explanation = lazy(() => import("./explanation.js"), "Explanation");
const FeedbackForm = lazy(() => import("./feedback_form.js"), "FeedbackForm");

const NONE = [];

/**
 * An answer: while it is written (`draft`) or as it was recorded (`message`).
 * @param {{draft?: import("./reply_draft.js").ReplyDraft, message?: object, store: object, acts: object}} props
 */
export function Answer({ draft, message, store, acts }) {
  const id = draft?.id ?? message.id;
  const citations = useSignal(NONE);
  const shownCitations = draft ? draft.citations.value : (message.citations ?? NONE);
  useEffect(() => {
    citations.value = shownCitations;
  }, [shownCitations]);
  const open = useRef(null);
  open.current = (citation) => acts.openSource({ citation, replyId: id });
  const drawing = useMemo(
    () => ({
      citation: (marker, raw) => html`<${CitationMarker} marker=${marker} raw=${raw} citations=${citations} open=${(citation) => open.current(citation)} />`,
      noted: (text) => html`<span class="unsupported" tabindex="0" title=${t("unsupported")}>${text}<span class="unseen"> (${t("unsupported")})</span></span>`,
    }),
    [],
  );
  const text = draft ? draft.text.value : message.content;
  return html`<article class="message answer" aria-label=${t("answer")} aria-busy=${draft ? "true" : null}>
    <${Thoughts} thinking=${draft ? draft.thinking.value : store.thoughts.get(id)} isOver=${Boolean(text)} />
    ${text && html`<${Markdown} text=${text} ranges=${message?.unsupported_numbers ?? NONE} drawing=${drawing} />`}
    ${draft ? html`<${Progress} draft=${draft} hasText=${Boolean(text)} />` : html`<${Ending} message=${message} store=${store} acts=${acts} open=${open.current} />`}
  </article>`;
}

/** What the model thinks, folded away. */
function Thoughts({ thinking, isOver }) {
  if (!thinking) return null;
  return html`<details class="thinking"><summary>${t(isOver ? "thinking" : "thinking_now")}</summary><div>${thinking}</div></details>`;
}

/** What happens until there is text, and when the connection is lost. */
function Progress({ draft, hasText }) {
  const queue = draft.queue.value;
  const passages = draft.passages.value;
  if (draft.isStopped.value) return html`<p class="progress minor" role="status">${t("stopping")}</p>`;
  if (draft.connection.value === "waiting") return html`<p class="progress minor" role="status"><span class="spinner" aria-hidden="true"></span>${t("reconnecting")}</p>`;
  if (hasText) return html`<span class="writing" aria-hidden="true"></span>`;
  const wait = queue?.estimated_wait_s;
  const line = queue?.position
    ? wait ? t("queued_wait", { count: queue.position, wait: formatDuration(wait) }) : t("queued", { count: queue.position })
    : passages
      ? passages.length ? t("found", { count: passages.length }) : t("found_none")
      : t("searching");
  return html`<p class="progress minor"><span class="spinner" aria-hidden="true"></span>${line}</p>`;
}

/** What follows the text of an answer that has ended: its state, its sources, what may be done with it. */
function Ending({ message, store, acts, open }) {
  const [rating, setRating] = useState("");
  const [isExplained, setExplained] = useState(false);
  const tokens = (message.usage?.prompt_tokens ?? 0) + (message.usage?.completion_tokens ?? 0);
  const given = message.feedback?.rating;
  const copy = async (what) => (await copyText(what)) && showToast(common("copied"));
  return html`
    ${message.state === "failed" && html`<div class="failure"><p class="row"><${Icon} name="warning" /><strong>${t("failed")}</strong></p><${ProblemNote} problem=${message.problem instanceof Problem ? message.problem : new Problem(message.problem ?? { code: "failed" })} retry=${acts.isBusy ? null : () => acts.regenerate(message)} /></div>`}
    ${message.state === "cancelled" && html`<p class="minor">${t("stopped")}</p>`}
    ${message.outcome === "not_found" && html`<p><span class="badge warning">${t("not_found")}</span></p>`}
    ${message.outcome === "unsourced" && html`<p><span class="badge warning">${t("unsourced")}</span></p>`}
    ${message.unsupported_numbers?.length > 0 && html`<p class="minor unsupported-note">${t("unsupported_all")}</p>`}
    <${SourceList} citations=${message.citations ?? NONE} open=${open} />
    <div class="message-acts">
      <${BranchWalker} message=${message} walk=${acts.walk} />
      ${message.content && html`<${Button} kind="quiet" icon="copy" label=${t("copy_answer")} onClick=${() => copy(message.content)} />`}
      <${Button} kind="quiet" icon="refresh" label=${t("regenerate")} disabled=${acts.isBusy} onClick=${() => acts.regenerate(message)} />
      ${message.state === "complete" && html`
        <${Button} kind=${given === "up" ? "quiet chosen" : "quiet"} icon="thumb_up" label=${t("good")} aria-pressed=${String(given === "up")} onClick=${() => setRating("up")} />
        <${Button} kind=${given === "down" ? "quiet chosen" : "quiet"} icon="thumb_down" label=${t("bad")} aria-pressed=${String(given === "down")} onClick=${() => setRating("down")} />`}
      <${Button} kind="quiet" icon="link" label=${t("copy_link")} onClick=${() => copy(`${location.origin}/chat/${store.id}#message=${message.id}`)} />
      <${Button} kind="quiet" icon="search" label=${t("explain")} onClick=${() => setExplained(true)} />
      <span class="stretch"></span>
      <span class="minor answer-model">${[message.model, message.cached ? t("cached") : tokens ? t("tokens", { count: formatNumber(tokens) }) : ""].filter(Boolean).join(" · ")}</span>
    </div>
    ${rating && html`<${FeedbackForm} key=${rating} rating=${rating} send=${(feedback, key) => acts.rate(message, feedback, key)} close=${() => setRating("")} />`}
    ${isExplained && html`<${Explanation} path=${`${store.path}/replies/${message.id}/explain`} close=${() => setExplained(false)} />`}`;
}
