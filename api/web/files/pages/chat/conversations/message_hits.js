// Conversations whose messages have the words of a search, below those whose titles have them.
import { html, useEffect, useRef, useState } from "../../../core/html.js";
import { call, query } from "../../../core/http.js";
import { Button } from "../../../components/button.js";
import { Loading } from "../../../components/loading.js";
import { ProblemNote } from "../../../components/problem_note.js";
import { t } from "./words.js";

const PAGES_MAX = 5; // each of 20 conversations; then a person decides whether to go on

/** @param {{q: string}} props what is looked for */
export function MessageHits({ q }) {
  const [state, setState] = useState({ items: [], cursor: "", isEnd: false, loading: true, problem: null });
  const present = useRef(null);
  const load = async (stop, from) => {
    let cursor = from;
    setState((before) => ({ ...before, loading: true, problem: null }));
    try {
      for (let page = 1; page <= PAGES_MAX; page++) {
        const found = await call("GET", `/conversations/search${query({ q, cursor })}`, { signal: stop.signal });
        cursor = found.next_cursor || "";
        setState((before) => ({ items: [...before.items, ...found.items], cursor, isEnd: !cursor, loading: Boolean(cursor) && page < PAGES_MAX, problem: null }));
        if (!cursor) return;
      }
    } catch (problem) {
      if (!stop.signal.aborted) setState((before) => ({ ...before, loading: false, problem }));
    }
  };
  useEffect(() => {
    const stop = new AbortController();
    present.current = stop;
    load(stop, "");
    return () => stop.abort();
  }, []);
  const { items, cursor, isEnd, loading, problem } = state;
  return html`<section>
    <h2 class="conversations-heading">${t("in_messages")}</h2>
    <ul aria-label=${t("in_messages")}>${items.map(
      ({ conversation, message_id, excerpt }) => html`<li key=${conversation.id}><a class="message-hit" href=${`/chat/${conversation.id}#message=${message_id}`}><strong>${conversation.title || t("untitled")}</strong><span class="minor">${excerpt}</span></a></li>`,
    )}</ul>
    <${ProblemNote} problem=${problem} retry=${() => load(present.current, cursor)} />
    ${loading && html`<${Loading} label=${t("searching")} />`}
    ${!loading && !problem && (isEnd ? items.length === 0 && html`<p class="conversations-empty minor">${t("nothing_in_messages")}</p>` : html`<${Button} kind="quiet" onClick=${() => load(present.current, cursor)}>${t("search_further")}</${Button}>`)}
  </section>`;
}
