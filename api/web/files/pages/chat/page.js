// Chat: the conversations of the account, one of them, and the source of a citation beside it.
import { html, useEffect, useState } from "../../core/html.js";
import { lazy } from "../../core/lazy.js";
import { place } from "../../core/router.js";
import { user } from "../../core/session.js";
import { CitationCard } from "./citations.js";
import { followOtherDevices } from "./conversations/changes.js";
import { ConversationList } from "./conversations/conversation_list.js";
import { NewChat } from "./new_chat.js";

const Conversation = lazy(() => import("./conversation.js"), "Conversation");
const SourcePanel = lazy(() => import("../../components/source/source_panel.js"), "SourcePanel");

const PREFETCH_MS = 300;

export default function ChatPage() {
  const { parts, fragment } = place.value;
  const id = parts[0] === "chat" ? parts[1] || "" : "";
  const [opened, setOpened] = useState(null); // {citation, replyId}
  const [title, setTitle] = useState("");
  const openSource = ({ citation, replyId }) => setOpened({ citation: { ...citation }, replyId }); // once more is from the beginning
  useEffect(() => setOpened(null), [id]);
  useEffect(() => {
    const stop = new AbortController();
    followOtherDevices(user.value.id, stop.signal);
    return () => stop.abort();
  }, []);
  useEffect(() => {
    const timer = setTimeout(() => import("./conversation.js").catch(() => {}), PREFETCH_MS); // before the first answer needs it
    return () => clearTimeout(timer);
  }, []);
  return html`<div class=${`chat with-conversations${opened ? " with-source" : ""}`}>
    <${ConversationList} currentId=${id} title=${id ? title : ""} />
    <main class="chat-main">
      ${id ? html`<${Conversation} key=${id} id=${id} messageId=${fragment.get("message") || ""} openSource=${openSource} onTitle=${setTitle} />` : html`<${NewChat} key="new" />`}
    </main>
    ${opened && html`<div class="chat-source"><${SourcePanel} citation=${opened.citation} replyId=${opened.replyId} close=${() => setOpened(null)} /></div>`}
    <${CitationCard} />
  </div>`;
}
