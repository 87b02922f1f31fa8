// What the installation has told the account, and what it is to tell.
import { html, useEffect, useState } from "../../core/html.js";
import { call, callTagged } from "../../core/http.js";
import { listenToNotices, unreadCount } from "../../core/notices.js";
import { useAct, useResource } from "../../core/resource.js";
import { hasRole } from "../../core/session.js";
import { formatTime } from "../../core/words.js";
import { Button } from "../../components/button.js";
import { Field } from "../../components/field.js";
import { Loading } from "../../components/loading.js";
import { ProblemNote } from "../../components/problem_note.js";
import { showProblem, showToast } from "../../components/toasts.js";
import { ListingEnd, useListing } from "../../components/listing.js";
import { Panel } from "./panel.js";
import { t } from "./words.js";

// each kind with what it is about: a place of the pages, and whom it is for
const KINDS = [
  { kind: "document.indexed", place: ({ knowledge_base_id }) => (knowledge_base_id ? `/knowledge/${knowledge_base_id}` : "/knowledge") },
  { kind: "document.failed", place: ({ knowledge_base_id }) => (knowledge_base_id ? `/knowledge/${knowledge_base_id}` : "/knowledge") },
  { kind: "quota.nearly_used", place: () => "/account/usage" },
  { kind: "webhook.disabled", place: () => "/account/webhooks" },
  { kind: "budget.nearly_spent", place: () => "/operations", role: "operator" },
  { kind: "config.stage_ended", place: () => "/operations/configuration", role: "operator" },
  { kind: "dead_letter", place: () => "/operations/dead-letters", role: "operator" },
  { kind: "health_check.failed", place: () => "/operations", role: "operator" },
];
const CHANNELS = ["in_app", "mail"];

export default function Notices() {
  const [isUnreadOnly, setUnreadOnly] = useState(false);
  const notices = useListing("/notices", { unread: isUnreadOnly || null });
  useEffect(() => listenToNotices(notices.put), []);
  const readAll = useAct(async () => {
    await call("POST", "/notices/read");
    const now = new Date().toISOString();
    notices.change((items) => items.map((notice) => ({ ...notice, read_at: notice.read_at ?? now })));
    unreadCount.value = 0;
  });
  const read = async (notice) => {
    if (notice.read_at) return;
    try {
      notices.put(await call("POST", `/notices/${notice.id}/read`));
      unreadCount.value = Math.max(0, (unreadCount.value ?? 1) - 1);
    } catch (problem) {
      showProblem(problem);
    }
  };
  return html`<h1>${t("notices")}</h1>
    <${Panel} title=${t("notices_list")} text=${t("notices_text")} actions=${html`<${Button} busy=${readAll.busy} disabled=${!unreadCount.value} onClick=${readAll.run}>${t("read_all")}</${Button}>`}>
      <label class="row check"><input type="checkbox" checked=${isUnreadOnly} onChange=${(event) => setUnreadOnly(event.target.checked)} />${t("unread_only")}</label>
      <${ProblemNote} problem=${readAll.problem} />
      <ul class="rows" aria-label=${t("notices_list")}>${notices.items.map((notice) => html`<${NoticeRow} key=${notice.id} notice=${notice} read=${() => read(notice)} />`)}</ul>
      <${ListingEnd} listing=${notices} empty=${t(isUnreadOnly ? "no_unread" : "no_notices")} />
    </${Panel}>
    <${Preferences} />`;
}

function NoticeRow({ notice, read }) {
  const about = KINDS.find((each) => each.kind === notice.kind);
  return html`<li class=${notice.read_at ? "notice" : "notice unread"}>
    <div class="stretch">
      <p class="row wrap">${!notice.read_at && html`<span class="dot" role="img" aria-label=${t("unread")}></span>`}<strong>${notice.title}</strong></p>
      <p>${notice.text}</p>
      <p class="minor">${formatTime(notice.created_at)}${about && html` · <a href=${about.place(notice.fields)} onClick=${read}>${t("notice_open")}</a>`}</p>
    </div>
    ${!notice.read_at && html`<${Button} kind="quiet" icon="check" label=${t("mark_read")} onClick=${read} />`}
  </li>`;
}

function Preferences() {
  const loaded = useResource((signal) => callTagged("GET", "/notices/preferences", { signal }), []);
  return html`<${Panel} title=${t("preferences")} text=${t("preferences_text")}>
    ${loaded.data ? html`<${PreferencesForm} key=${loaded.data.etag} loaded=${loaded.data} set=${loaded.set} />` : loaded.problem ? html`<${ProblemNote} problem=${loaded.problem} retry=${loaded.reload} />` : html`<${Loading} />`}
  </${Panel}>`;
}

function PreferencesForm({ loaded, set }) {
  const [language, setLanguage] = useState(loaded.body.language ?? "");
  const [channels, setChannels] = useState(loaded.body.channels);
  const save = useAct(async () => {
    set(await callTagged("PUT", "/notices/preferences", { body: { language: language || null, channels }, ifMatch: loaded.etag }));
    showToast(t("saved"));
  });
  const toggle = (kind, channel, isOn) => setChannels({ ...channels, [kind]: CHANNELS.filter((each) => (each === channel ? isOn : channels[kind]?.includes(each))) });
  return html`<form class="stack" onSubmit=${(event) => (event.preventDefault(), save.run())}>
    <div class="scroll-x"><table class="preferences">
      <thead><tr><th>${t("notice_kind")}</th>${CHANNELS.map((channel) => html`<th key=${channel} class="tick">${t(`channel_${channel}`)}</th>`)}</tr></thead>
      <tbody>${KINDS.filter((each) => !each.role || hasRole(each.role)).map(({ kind }) => {
        const name = t(`kind_${kind.replace(".", "_")}`);
        return html`<tr key=${kind}><td>${name}</td>${CHANNELS.map(
          (channel) => html`<td key=${channel} class="tick"><input type="checkbox" aria-label=${`${name}: ${t(`channel_${channel}`)}`} checked=${Boolean(channels[kind]?.includes(channel))} onChange=${(event) => toggle(kind, channel, event.target.checked)} /></td>`,
        )}</tr>`;
      })}</tbody>
    </table></div>
    <div class="narrow"><${Field} kind="select" label=${t("notice_language")} value=${language} onInput=${(event) => setLanguage(event.target.value)}>
      <option value="">${t("language_of_page")}</option><option value="zh">中文</option><option value="en">English</option>
    </${Field}></div>
    <${ProblemNote} problem=${save.problem} />
    <div><${Button} kind="primary" type="submit" busy=${save.busy}>${t("save")}</${Button}></div>
  </form>`;
}
