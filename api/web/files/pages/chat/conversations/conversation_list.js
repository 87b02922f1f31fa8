// Beside the chat: all conversations of the account, to find, open and keep in order. On phones it is a drawer.
import { html, useEffect, useRef, useState } from "../../../core/html.js";
import { loadStyle, place } from "../../../core/router.js";
import { Button } from "../../../components/button.js";
import { Icon } from "../../../components/icon.js";
import { Loading } from "../../../components/loading.js";
import { ProblemNote } from "../../../components/problem_note.js";
import { ConversationRow } from "./conversation_row.js";
import { useConversations } from "./conversations.js";
import { groupConversations, sortByActivity } from "./groups.js";
import { MessageHits } from "./message_hits.js";
import { t } from "./words.js";

await loadStyle("pages/chat/conversations/conversations.css"); // part of the page that imports this

const SEARCH_WAIT_MS = 250; // after the last letter
const PHONE = matchMedia("(max-width: 44rem)");

/**
 * The list of conversations. It stands first in an element of class `with-conversations`, which its style lays out: a column beside the
 * chat, or on phones a bar above it that opens the list as a drawer.
 * @param {{currentId: string, title?: string}} props `currentId`: of the conversation that is shown, "" for none yet; `title`: of the bar
 */
export function ConversationList({ currentId, title = "" }) {
  const isPhone = useMatch(PHONE);
  const [isOpen, setOpen] = useState(false);
  useEffect(() => setOpen(false), [place.value, isPhone]);
  if (!isPhone) return html`<aside class="conversations" aria-label=${t("conversations")}><${Lists} currentId=${currentId} /></aside>`;
  return html`<div class="conversations-bar">
    <${Button} kind="quiet" icon="menu" label=${t("open_list")} aria-expanded=${String(isOpen)} onClick=${() => setOpen(true)} />
    <span class="stretch title">${title}</span>
    <a class="button quiet bare" href="/" aria-label=${t("new_conversation")} title=${t("new_conversation")}><${Icon} name="add" /></a>
    ${isOpen && html`<${Drawer} close=${() => setOpen(false)}><${Lists} currentId=${currentId} close=${() => setOpen(false)} /></${Drawer}>`}
  </div>`;
}

/** A modal dialog at the edge of the screen. */
function Drawer({ close, children }) {
  const dialog = useRef(null);
  useEffect(() => dialog.current.showModal(), []);
  return html`<dialog ref=${dialog} class="conversations drawer" aria-label=${t("conversations")} onClose=${close} onClick=${(event) => event.target === dialog.current && close()}>
    ${children}
  </dialog>`;
}

/** New conversation, search, and the list of the active, the archived or the found ones. */
function Lists({ currentId, close }) {
  const [isArchive, setArchive] = useState(false);
  const [typed, setTyped] = useState("");
  const q = useSettled(typed.trim(), SEARCH_WAIT_MS);
  const list = useConversations(q ? { q } : { status: isArchive ? "archived" : "active" });
  const clear = (event) => {
    if (event.key !== "Escape" || !typed) return;
    event.preventDefault(); // the drawer stays open
    setTyped("");
  };
  return html`<div class="conversations-top">
      ${isArchive
        ? html`<${Button} kind="quiet" icon="chevron_left" onClick=${() => setArchive(false)}>${t("back")}</${Button}>`
        : html`<a class="button new" href="/" aria-current=${currentId ? null : "page"} onClick=${() => close?.()}><${Icon} name="add" /><span>${t("new_conversation")}</span></a>`}
      ${close && html`<${Button} kind="quiet" icon="close" label=${t("close_list")} onClick=${close} />`}
    </div>
    <label class="conversations-search">
      <${Icon} name="search" /><span class="unseen">${t("search")}</span>
      <input type="search" placeholder=${t("search")} value=${typed} maxlength="200" onInput=${(event) => setTyped(event.target.value)} onKeyDown=${clear} />
    </label>
    ${isArchive && !q && html`<h2 class="conversations-heading">${t("archived")}</h2>`}
    <div class="conversations-scroll">
      <${Items} list=${list} q=${q} isArchive=${isArchive} currentId=${currentId} />
      ${q && list.isEnd && html`<${MessageHits} key=${q} q=${q} />`}
    </div>
    ${!isArchive && !q && html`<button type="button" class="conversations-archive" onClick=${() => setArchive(true)}><${Icon} name="archive" />${t("show_archived")}</button>`}`;
}

function Items({ list, q, isArchive, currentId }) {
  const { items, isEnd, loading, problem, loadMore } = list;
  const row = (conversation) => html`<${ConversationRow} key=${conversation.id} conversation=${conversation} isCurrent=${conversation.id === currentId} showsArchived=${Boolean(q)} list=${list} />`;
  const isEmpty = items.length === 0;
  const canGoOn = !isEnd && !loading && !problem;
  return html`
    ${q || isArchive
      ? !isEmpty && html`<ul aria-label=${t(q ? "search" : "archived")}>${sortByActivity(items).map(row)}</ul>`
      : groupConversations(items, new Date()).map(
          ({ name, items: some }) => html`<section key=${name}><h2 class="conversations-heading">${t(GROUP_WORDS[name])}</h2><ul aria-label=${t(GROUP_WORDS[name])}>${some.map(row)}</ul></section>`,
        )}
    <${ProblemNote} problem=${problem} retry=${loadMore} />
    ${loading && html`<${Loading} label=${q ? t("searching") : null} />`}
    ${isEmpty && isEnd && !loading && html`<p class="conversations-empty minor" role="status">${q ? t("nothing_found", { q }) : t(isArchive ? "nothing_archived" : "nothing_yet")}</p>`}
    ${canGoOn && (isEmpty ? html`<${Button} kind="quiet" onClick=${loadMore}>${t("search_further")}</${Button}>` : html`<${Sentinel} key=${items.length} reach=${loadMore} />`)}`;
}

const GROUP_WORDS = { pinned: "pinned", today: "today", yesterday: "yesterday", week: "week", earlier: "earlier" };

/** The end of what is loaded: calls `reach` when it comes near what is seen. */
function Sentinel({ reach }) {
  const end = useRef(null);
  useEffect(() => {
    const observer = new IntersectionObserver(([entry]) => entry.isIntersecting && reach(), { rootMargin: "300px" });
    observer.observe(end.current);
    return () => observer.disconnect();
  }, []);
  return html`<div ref=${end} class="conversations-end"></div>`;
}

function useMatch(media) {
  const [matches, setMatches] = useState(media.matches);
  useEffect(() => {
    const look = () => setMatches(media.matches);
    media.addEventListener("change", look);
    return () => media.removeEventListener("change", look);
  }, [media]);
  return matches;
}

/** The value once it has stayed the same for this long. */
function useSettled(value, ms) {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), value ? ms : 0);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}
