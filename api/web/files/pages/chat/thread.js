import { html, useEffect, useLayoutEffect, useRef, useState } from "../../core/html.js";
import { language } from "../../core/words.js";
import { Icon } from "../../components/icon.js";
import { showProblem } from "../../components/toasts.js";
import { Answer } from "./answer.js";
import { hideCard } from "./citations.js";
import { Question } from "./question.js";
import { ReplyDraft } from "./reply_draft.js";
import { Slot, useSlots } from "./slots.js";
import { t } from "./words.js";

const NEAR_END_PX = 80;
const OLDER_PX = 2000; // above what is seen, older messages are fetched
const INPUT_MS = 1000; // movement belongs to what somebody did so long ago
const FILLED_LAST = 6; // messages at the end are there from the start
const KEEPS_PLACE = CSS.supports("overflow-anchor", "auto");

/**
 * The messages of the branch, the oldest first. Stays at the end while an answer grows, unless somebody has scrolled up.
 * @param {{store: import("./conversation_store.js").ConversationStore, acts: object, messageId: string}} props
 */
export function Thread({ store, acts, messageId }) {
  const scroller = useRef(null);
  const list = useRef(null);
  const isAtEnd = useRef(!messageId);
  const last = useRef({ top: 0, input: -Infinity }); // where it was, and when somebody last moved something
  const [isAway, setAway] = useState(false);
  const elements = useRef(new WeakMap());
  const watcher = useSlots(scroller);
  const entries = store.entries.value;
  const first = entries[0]?.id;
  const heightBefore = scroller.current?.scrollHeight ?? 0;
  const follow = () => {
    if (!isAtEnd.current || !scroller.current) return; // a last change of size may be told after the thread has gone
    scroller.current.scrollTop = scroller.current.scrollHeight;
    last.current.top = scroller.current.scrollTop;
  };
  useLayoutEffect(follow, [entries.at(-1)?.id, store.pending.value]);
  useLayoutEffect(() => {
    // browsers that do not keep the place by themselves when something comes above it
    if (!KEEPS_PLACE && !isAtEnd.current) scroller.current.scrollTop += scroller.current.scrollHeight - heightBefore;
  }, [first]);
  useEffect(() => {
    const watch = new ResizeObserver(follow);
    watch.observe(list.current);
    watch.observe(scroller.current);
    return () => watch.disconnect();
  }, []);
  useEffect(() => {
    if (store.pending.value) toEnd(); // whoever asks wants to see the answer
  }, [store.pending.value]);
  useEffect(() => {
    if (messageId) document.getElementById(`message-${messageId}`)?.scrollIntoView({ block: "center" });
  }, [messageId]);
  const onScroll = () => {
    hideCard();
    const { scrollTop, scrollHeight, clientHeight } = scroller.current;
    const isNear = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
    // messages that are drawn change the height, and the browser moves with it: only what somebody does leaves the end
    const isUp = scrollTop < last.current.top && performance.now() - last.current.input < INPUT_MS;
    last.current.top = scrollTop;
    isAtEnd.current = isNear || (isAtEnd.current && !isUp);
    setAway(!isAtEnd.current);
    if (scrollTop < OLDER_PX && store.older.value) {
      if (scrollTop < 2) scroller.current.scrollTop = 2; // at 0 browsers do not keep the place
      store.loadOlder().catch(showProblem);
    }
  };
  const onInput = () => {
    last.current.input = performance.now();
  };
  const toEnd = () => {
    isAtEnd.current = true;
    setAway(false);
    follow();
  };
  // an element is drawn again only if its message is another one, or what may be done with it
  const signs = [language.value, acts.isBusy].join();
  const elementOf = (entry, place) => {
    const known = elements.current.get(entry);
    const own = `${signs} ${acts.editing === entry.id}`;
    if (known?.own === own && known.id === entry.id) return known.element;
    const draw = () => html`<${Entry} entry=${entry} store=${store} acts=${acts} />`;
    const element = html`<${Slot} key=${entry.id} id=${entry.id} role=${entry.role ?? "assistant"} watcher=${watcher} isFilled=${place >= entries.length - FILLED_LAST} draw=${draw} />`;
    elements.current.set(entry, { own, id: entry.id, element });
    return element;
  };
  return html`<div class="thread-box">
    <div class="thread" ref=${scroller} onScroll=${onScroll} onWheel=${onInput} onTouchMove=${onInput} onKeyDown=${onInput} onPointerDown=${onInput} onPointerMove=${onInput} tabindex="0" role="region" aria-label=${t("thread")}>
      <div class="thread-list" ref=${list}>
        ${store.older.value && html`<p class="minor older">${t("loading_older")}</p>`}
        ${entries.map(elementOf)}
        ${store.pending.value && html`<article class="message question" key="pending"><div class="bubble pending" dir="auto">${store.pending.value}</div></article>`}
      </div>
    </div>
    ${isAway && html`<button type="button" class="to-end" aria-label=${t("to_end")} title=${t("to_end")} onClick=${toEnd}><${Icon} name="chevron_down" /></button>`}
  </div>`;
}

function Entry({ entry, store, acts }) {
  if (entry instanceof ReplyDraft) return html`<${Answer} draft=${entry} acts=${acts} store=${store} />`;
  if (entry.role === "assistant") return html`<${Answer} message=${entry} acts=${acts} store=${store} />`;
  return html`<${Question} message=${entry} acts=${acts} />`;
}
