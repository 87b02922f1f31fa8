import { html, useState } from "../../core/html.js";
import { useResource } from "../../core/resource.js";
import { navigate } from "../../core/router.js";
import { hasRole, user } from "../../core/session.js";
import { Icon } from "../../components/icon.js";
import { Loading } from "../../components/loading.js";
import { Menu } from "../../components/menu.js";
import { ProblemNote } from "../../components/problem_note.js";
import { showToast } from "../../components/toasts.js";
import { BaseDialog, DeleteBase } from "./base_dialogs.js";
import { DocumentView } from "./document_view.js";
import { DocumentsView } from "./documents_view.js";
import { IndexView } from "./index_view.js";
import { queueOf } from "./queues.js";
import { readBase } from "./requests.js";
import { SearchView } from "./search_view.js";
import { useWatch } from "./watch.js";
import { t } from "./words.js";

const PARTS = { documents: DocumentsView, search: SearchView, index: IndexView };

/** A knowledge base: its head, and one of its parts. @param {{baseId: string, part: string, documentId: string}} props */
export function BaseView({ baseId, part, documentId }) {
  const read = useResource((signal) => readBase(baseId, signal), [baseId]);
  if (read.problem) return html`<a href="/knowledge" class="back"><${Icon} name="chevron_left" />${t("title")}</a><${ProblemNote} problem=${read.problem} retry=${read.reload} />`;
  if (!read.data) return html`<${Loading} />`;
  return html`<${Base} base=${read.data.body} etag=${read.data.etag} reload=${read.reload} part=${part} documentId=${documentId} />`;
}

function Base({ base, etag, reload, part, documentId }) {
  const watch = useWatch(base.id);
  const [dialog, setDialog] = useState("");
  const isOwn = base.owner_id === user.value.id;
  const known = { base, isOwn, watch, queue: queueOf(user.value.id, base.id) };
  const counts = watch.counts.value;
  const close = () => setDialog("");
  if (documentId) return html`<${DocumentView} ...${known} documentId=${documentId} />`;
  const Part = PARTS[part] ?? DocumentsView;
  const parts = Object.keys(PARTS).filter((name) => name !== "index" || isOwn || hasRole("admin"));
  return html`
    <a href="/knowledge" class="back"><${Icon} name="chevron_left" />${t("title")}</a>
    <header class="heading">
      <div class="stretch stack tight">
        <h1><bdi>${base.name}</bdi></h1>
        ${base.description && html`<p class="minor">${base.description}</p>`}
        <p class="row wrap"><span class="badge">${t(isOwn ? `sharing_${base.sharing}` : "read_only")}</span></p>
      </div>
      ${isOwn && html`<${Menu} icon="more" label=${t("base_menu")} items=${[
        { label: t("settings"), run: () => setDialog("edit") },
        { label: t("delete_base"), danger: true, run: () => setDialog("delete") },
      ]} />`}
    </header>
    <nav class="tabs" aria-label=${base.name}>
      ${parts.map((name) => html`<a key=${name} href=${`/knowledge/${base.id}${name === "documents" ? "" : `/${name}`}`} aria-current=${Part === PARTS[name] ? "page" : null}>${t(`part_${name}`)}</a>`)}
    </nav>
    ${watch.problem.value && html`<${ProblemNote} problem=${watch.problem.value} retry=${() => watch.start()} />`}
    <${Part} ...${known} />
    ${dialog === "edit" && html`<${BaseDialog} base=${base} etag=${etag} close=${close} done=${() => (close(), reload(), showToast(t("saved")))} />`}
    ${dialog === "delete" && html`<${DeleteBase} base=${base} documents=${counts.isKnown ? counts.documents : base.documents} close=${close} done=${() => (navigate("/knowledge"), showToast(t("base_deleted", { name: base.name })))} />`}
  `;
}
