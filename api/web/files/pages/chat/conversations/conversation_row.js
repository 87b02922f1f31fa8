// One conversation in the list: a link, its acts, and its title being changed in place.
import { html, useLayoutEffect, useRef, useState } from "../../../core/html.js";
import { lazy } from "../../../core/lazy.js";
import { call } from "../../../core/http.js";
import { useAct } from "../../../core/resource.js";
import { navigate } from "../../../core/router.js";
import { Confirmation } from "../../../components/dialog.js";
import { Icon } from "../../../components/icon.js";
import { Menu } from "../../../components/menu.js";
import { ProblemNote } from "../../../components/problem_note.js";
import { showProblem, showToast } from "../../../components/toasts.js";
import { t as common } from "../../../components/words.js";
import { tellConversationChange } from "./changes.js";
import { t } from "./words.js";

const ConversationSettings = lazy(() => import("./conversation_settings.js"), "ConversationSettings");

/** @param {{conversation: any, isCurrent: boolean, showsArchived: boolean, list: {put: (conversation: any) => void, remove: (id: string) => void}}} props */
export function ConversationRow({ conversation, isCurrent, showsArchived, list }) {
  const [doing, setDoing] = useState(""); // "rename", "settings", "delete"
  const row = useRef(null);
  const { id, status, pinned } = conversation;
  const title = conversation.title || t("untitled");
  const change = async (changes) => {
    try {
      list.put(await call("PATCH", `/conversations/${id}`, { body: changes }));
      tellConversationChange("changed", id);
      return true;
    } catch (problem) {
      showProblem(problem);
      return false;
    }
  };
  const archive = async () => {
    if (await change({ status: "archived" })) showToast(t("was_archived"), { label: common("undo"), run: () => change({ status: "active" }) });
  };
  const remove = useAct(async () => {
    await call("DELETE", `/conversations/${id}`);
    list.remove(id);
    tellConversationChange("deleted", id);
    showToast(t("was_deleted"));
    if (isCurrent) navigate("/", { replace: true });
  });
  const endRename = (changed) => {
    setDoing("");
    if (changed !== null && changed !== conversation.title) {
      list.put({ ...conversation, title: changed });
      change({ title: changed });
    }
    requestAnimationFrame(() => row.current?.querySelector("a")?.focus());
  };
  if (doing === "rename") return html`<li><${TitleInput} title=${conversation.title} end=${endRename} /></li>`;
  return html`<li ref=${row} class="conversation-row">
    <a href=${`/chat/${id}`} aria-current=${isCurrent ? "page" : null} title=${title} onKeyDown=${(event) => event.key === "F2" && setDoing("rename")}>
      ${pinned && html`<${Icon} name="pin" label=${t("pinned")} />`}<span class=${conversation.title ? "" : "untitled"}>${title}</span>
      ${showsArchived && status === "archived" && html`<span class="badge">${t("archived")}</span>`}
    </a>
    <${Menu} label=${t("actions", { title })} items=${[
      { label: t("rename"), run: () => setDoing("rename") },
      { label: t(pinned ? "unpin" : "pin"), run: () => change({ pinned: !pinned }) },
      { label: t("settings"), run: () => setDoing("settings") },
      status === "active" ? { label: t("archive"), run: archive } : { label: t("unarchive"), run: () => change({ status: "active" }) },
      { label: t("delete"), danger: true, run: () => setDoing("delete") },
    ]} />
    ${doing === "settings" && html`<${ConversationSettings} conversation=${conversation} close=${() => setDoing("")} />`}
    ${doing === "delete" && html`<${Confirmation} title=${t("delete_title")} text=${t("delete_text", { title })} label=${t("delete_act")} run=${remove.run} busy=${remove.busy} problem=${html`<${ProblemNote} problem=${remove.problem} />`} close=${() => setDoing("")} />`}
  </li>`;
}

/** Enter and leaving it keep what was typed, Escape does not. @param {{title: string, end: (title: string | null) => void}} props */
function TitleInput({ title, end }) {
  const input = useRef(null);
  const isOver = useRef(false);
  const finish = (value) => {
    if (isOver.current) return;
    isOver.current = true;
    end(value);
  };
  useLayoutEffect(() => {
    // before anybody can type
    input.current.focus();
    input.current.select();
  }, []);
  const press = (event) => {
    if (event.isComposing) return; // Enter chooses a word of an input method
    if (event.key === "Enter") finish(event.target.value.trim());
    else if (event.key === "Escape") {
      event.preventDefault();
      finish(null);
    }
  };
  return html`<input ref=${input} class="conversation-title" aria-label=${t("new_title")} maxlength="200" defaultValue=${title} onKeyDown=${press} onBlur=${(event) => finish(event.target.value.trim())} />`;
}
