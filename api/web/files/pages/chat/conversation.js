import { html, useEffect, useMemo, useRef, useState } from "../../core/html.js";
import { lazy } from "../../core/lazy.js";
import { newKey } from "../../core/http.js";
import { useAct } from "../../core/resource.js";
import { announce } from "../../components/announcer.js";
import { Button } from "../../components/button.js";
import { Loading } from "../../components/loading.js";
import { Menu } from "../../components/menu.js";
import { ProblemNote } from "../../components/problem_note.js";
import { showProblem } from "../../components/toasts.js";
import { Composer } from "./composer.js";
import { followConversationChanges } from "./conversations/changes.js";
import { openStore } from "./conversation_store.js";
import { downloadConversation } from "./export.js";
import { Thread } from "./thread.js";
import { UsageLine } from "./usage_line.js";
import { t } from "./words.js";

const ConversationSettings = lazy(() => import("./conversations/conversation_settings.js"), "ConversationSettings");

const CHECK_MS = 10_000; // between two looks for what no stream told
const SPOKEN_CHARS_MAX = 600;

/**
 * A conversation: its messages, and where the next question is written.
 * @param {{id: string, messageId: string, openSource: (opened: {citation: object, replyId: string}) => void, onTitle: (title: string) => void}} props
 *   `messageId`: of a link to one message
 */
export function Conversation({ id, messageId, openSource, onTitle }) {
  const store = useMemo(() => openStore(id, messageId), [id]);
  const [content, setContent] = useState("");
  const [editing, setEditing] = useState("");
  const [isInSettings, setInSettings] = useState(false);
  const composer = useRef(null);
  useEffect(() => () => store.close(), [store]);
  useNews(store);
  const draft = store.draft.value;
  const conversation = store.conversation.value;
  const title = conversation?.title || t("untitled");
  useEffect(() => {
    onTitle(conversation ? title : "");
    document.title = `${title} · Claw`;
    return () => {
      document.title = "Claw";
    };
  }, [title, Boolean(conversation)]);
  useEffect(() => {
    store.onEnd = (message) => {
      if (message?.state === "complete" && !document.hidden) announce(t("finished", { text: message.content.replace(/[[【]\d+[\]】]/g, "").slice(0, SPOKEN_CHARS_MAX) }));
      else if (message?.problem) announce(`${t("failed")}. ${message.problem.title}`);
    };
  }, [store]);
  const asking = useAct(async (question) => {
    setContent("");
    try {
      await store.ask(question);
    } catch (problem) {
      setContent((now) => now || question); // nothing that was written is lost
      throw problem;
    }
  });
  const stop = () => {
    store.stop().catch(showProblem);
    composer.current.querySelector("textarea").focus();
  };
  useEffect(() => {
    if (!draft) return undefined;
    const onKey = (event) => {
      if (event.key !== "Escape" || event.defaultPrevented || event.isComposing || document.querySelector("dialog[open]")) return;
      event.preventDefault();
      stop();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [draft]);
  if (store.problem.value) {
    const isGone = store.problem.value.status === 404;
    return html`<div class="centre"><div class="stack">${isGone ? html`<p>${t("conversation_gone")}</p><a class="button" href="/">${t("new_conversation")}</a>` : html`<${ProblemNote} problem=${store.problem.value} retry=${() => store.load(messageId)} />`}</div></div>`;
  }
  if (!conversation || !store.isLoaded.value) return html`<div class="centre"><${Loading} /></div>`;
  const editLast = () => {
    const last = store.messages.value.findLast((message) => message.role === "user");
    if (last && !draft) setEditing(last.id);
  };
  const acts = {
    openSource,
    editing,
    setEditing,
    edit: async (question, text, key) => {
      await store.edit(question, text, key);
      setEditing("");
    },
    regenerate: (answer) => store.regenerate(answer, newKey()).catch(showProblem),
    walk: (messageId) => store.showBranch(messageId, { below: true }).catch(showProblem),
    rate: (answer, feedback, key) => store.rate(answer, feedback, key),
    isBusy: Boolean(draft),
  };
  return html`
    <header class="chat-head">
      <h1 dir="auto">${title}</h1>
      <${UsageLine} store=${store} />
      <${Button} kind="quiet" icon="settings" label=${t("settings")} onClick=${() => setInSettings(true)} />
      <${Menu} label=${t("more")} items=${[
        { label: t("export_markdown"), run: () => downloadConversation(id, "markdown", title).catch(showProblem) },
        { label: t("export_json"), run: () => downloadConversation(id, "json", title).catch(showProblem) },
      ]} />
    </header>
    <${Thread} store=${store} acts=${acts} messageId=${messageId} />
    <div class="chat-foot" ref=${composer}>
      <${ProblemNote} problem=${asking.problem} />
      <${Composer} value=${content} setValue=${setContent} send=${asking.run} busy=${asking.busy} stop=${draft ? stop : null} isStopping=${draft?.isStopped.value} editLast=${editLast} autofocus />
    </div>
    ${isInSettings && html`<${ConversationSettings} conversation=${conversation} close=${() => {
      setInSettings(false);
      store.reload().catch(showProblem);
    }} />`}`;
}

/** Learns of what other tabs and devices do at once, and by a look now and then while the page is seen. */
function useNews(store) {
  useEffect(() => {
    let timer = null;
    let isGone = false;
    const look = async () => {
      clearTimeout(timer);
      if (!document.hidden) await store.check().catch(() => {}); // away or overloaded: the next look tells
      clearTimeout(timer);
      if (!isGone) timer = setTimeout(look, CHECK_MS);
    };
    const seen = () => document.hidden || look();
    const unfollow = followConversationChanges((change) => change.id === store.id && change.kind !== "deleted" && store.check().catch(() => {}));
    timer = setTimeout(look, CHECK_MS);
    for (const [target, name] of [[document, "visibilitychange"], [window, "focus"], [window, "online"]]) target.addEventListener(name, seen);
    return () => {
      isGone = true;
      clearTimeout(timer);
      unfollow();
      for (const [target, name] of [[document, "visibilitychange"], [window, "focus"], [window, "online"]]) target.removeEventListener(name, seen);
    };
  }, [store]);
}
