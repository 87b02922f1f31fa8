import { html, useEffect, useRef, useState } from "../../core/html.js";
import { useResource } from "../../core/resource.js";
import { navigate } from "../../core/router.js";
import { formatBytes, formatNumber, formatPlace } from "../../core/words.js";
import { Button } from "../../components/button.js";
import { Field } from "../../components/field.js";
import { Icon } from "../../components/icon.js";
import { Loading } from "../../components/loading.js";
import { ProblemNote } from "../../components/problem_note.js";
import { showProblem, showToast } from "../../components/toasts.js";
import { t as common } from "../../components/words.js";
import { BulkDialog } from "./bulk_dialog.js";
import { kindOf } from "./document_names.js";
import { Cause, DocumentState } from "./document_state.js";
import { isOpen, withProgress } from "./documents.js";
import { ReplaceButton, retry } from "./documents_table.js";
import { sourceOf } from "./documents_view.js";
import { PassageText } from "./passage_text.js";
import { usePages } from "../../core/paging.js";
import { cancelDocument, listChunks, readDocument, readFileBytesMax } from "./requests.js";
import { SourceDialog } from "./source_dialog.js";
import { UploadsPanel } from "./uploads_panel.js";
import { VersionsList } from "./versions_list.js";
import { dictionary, t } from "./words.js";

/** A document: its state and versions, what was left out, and its chunks. */
export function DocumentView({ base, isOwn, watch, queue, documentId }) {
  const read = useResource((signal) => readDocument(base.id, documentId, signal), [base.id, documentId]);
  const limit = useResource(() => readFileBytesMax(), []);
  const [isDeleting, setDeleting] = useState(false);
  const progress = watch.live.value.get(documentId);
  const row = read.data && withProgress(read.data, progress);
  useEffect(() => {
    if (progress && !isOpen(progress.state) && progress.state !== "deleted" && read.data && progress.version >= read.data.version) read.reload(); // size, kind and task of the new version
  }, [progress?.version, progress?.state]);
  const snapshots = watch.snapshots.value;
  useEffect(() => {
    if (snapshots) read.reload();
  }, [snapshots]);
  const here = `/knowledge/${base.id}`;
  const back = html`<a href=${here} class="back"><${Icon} name="chevron_left" /><bdi>${base.name}</bdi></a>`;
  if (!row) return html`${back}${read.problem ? html`<${ProblemNote} problem=${read.problem} retry=${read.reload} />` : html`<${Loading} />`}`;
  const title = row.title || row.document_id;
  return html`${back}
    <header class="heading">
      <div class="stretch stack tight"><h1><bdi>${title}</bdi></h1>${title !== row.document_id && html`<p class="minor"><bdi>${row.document_id}</bdi></p>`}</div>
      ${isOwn && html`<div class="row wrap">
        <${ReplaceButton} row=${row} queue=${queue} bytesMax=${limit.data} />
        ${isOpen(row.state)
          ? html`<${Button} icon="stop" onClick=${() => cancelDocument(base.id, documentId).catch(showProblem)}>${t("cancel_work")}</${Button}>`
          : html`<${Button} icon="refresh" onClick=${() => retry(base, row)}>${t("reprocess")}</${Button}>`}
        <${Button} icon="trash" onClick=${() => setDeleting(true)}>${t("delete")}</${Button}>
      </div>`}
    </header>
    ${isOwn && html`<${UploadsPanel} queue=${queue} />`}
    <div class="builds">
      <section class="card" aria-label=${t("state")}>
        <h2>${t("state")}</h2>
        <${DocumentState} row=${row} />
        <${Cause} problem=${row.problem} />
        ${isOwn && row.state === "failed" && /^password_/.test(row.problem?.code ?? "") && html`<${PasswordForm} row=${row} queue=${queue} bytesMax=${limit.data} />`}
        <${Notes} notes=${row.notes} />
      </section>
      <section class="card" aria-label=${t("facts")}>
        <h2>${t("facts")}</h2>
        <dl class="pairs">
          <dt>${t("newest_version")}</dt><dd>${formatNumber(row.version)}</dd>
          <dt>${t("visible_version")}</dt><dd>${row.visible_version === null ? t("no_version") : formatNumber(row.visible_version)}</dd>
          ${row.media_type && html`<dt>${t("kind")}</dt><dd>${kindOf(row.media_type)}</dd>`}
          ${row.bytes > 0 && html`<dt>${t("size")}</dt><dd>${formatBytes(row.bytes)}</dd>`}
          <dt>${t("chunks")}</dt><dd>${formatNumber(row.chunks)}</dd>
        </dl>
      </section>
    </div>
    <${VersionsList} base=${base} row=${row} />
    <${Chunks} key=${row.visible_version} base=${base} row=${row} />
    ${isDeleting && html`<${BulkDialog} base=${base} act="delete" rows=${[row]} close=${() => setDeleting(false)} done=${() => (navigate(here), showToast(t("document_deleted", { title })))} />`}
  `;
}

function Notes({ notes }) {
  if (!notes.length) return null;
  return html`<div class="stack tight"><h3>${t("notes")}</h3><ul class="notes">
    ${notes.map((note, number) => html`<li key=${number}>${`note_${note.code}` in dictionary.en ? t(`note_${note.code}`) : html`<code>${note.code}</code>`} <span class="minor"><bdi>${note.detail}</bdi></span></li>`)}
  </ul></div>`;
}

/** An encrypted file is sent again with its password; the server keeps neither in the clear. */
function PasswordForm({ row, queue, bytesMax }) {
  const [password, setPassword] = useState("");
  const file = useRef(null);
  const submit = (event) => {
    event.preventDefault();
    const [chosen] = file.current.files;
    queue.add([{ ...sourceOf(chosen, row.document_id, bytesMax), name: row.title || row.document_id, password }]);
    setPassword("");
  };
  return html`<form class="stack" onSubmit=${submit}>
    <p class="minor">${t("password_text")}</p>
    <div class="field"><label for="password-file">${t("file")}</label><input id="password-file" ref=${file} type="file" required /></div>
    <${Field} label=${t("file_password")} type="password" autocomplete="off" required maxlength="500" value=${password} onInput=${(event) => setPassword(event.target.value)} />
    <div><${Button} kind="primary" type="submit">${t("send_again")}</${Button}></div>
  </form>`;
}

function Chunks({ base, row }) {
  const [opened, setOpened] = useState(null);
  const pages = usePages((cursor, signal) => listChunks(base.id, row.document_id, cursor, signal), (chunk) => chunk.chunk_id, [base.id, row.document_id]);
  if (row.visible_version === null && isOpen(row.state)) return html`<p class="minor">${t("chunks_later")}</p>`;
  return html`<section class="stack" aria-label=${t("chunks_title")}>
    <div><h2>${t("chunks_title")}</h2><p class="minor">${t("chunks_text")}</p></div>
    ${pages.problem?.status === 412 ? html`<${ProblemNote} problem=${pages.problem} retry=${pages.renew} />` : html`<${ProblemNote} problem=${pages.problem} retry=${pages.more} />`}
    ${pages.items === null && !pages.problem && html`<${Loading} />`}
    ${pages.items?.length === 0 && !pages.problem && html`<p class="minor">${t("no_chunks")}</p>`}
    <ol class="passages">
      ${(pages.items ?? []).map(
        (chunk) => html`<li key=${chunk.chunk_id} class="card chunk">
          <header class="row wrap"><span class="rank" aria-hidden="true">${chunk.ordinal + 1}</span><p class="stretch minor"><bdi>${formatPlace(chunk.locator)}</bdi></p><span class="minor">${t("tokens", { count: formatNumber(chunk.tokens) })}</span><${Button} kind="quiet" icon="document" onClick=${() => setOpened(chunk)}>${t("place")}</${Button}></header>
          <${PassageText} text=${chunk.text} />
        </li>`,
      )}
    </ol>
    ${pages.hasMore && html`<div><${Button} busy=${pages.loading} onClick=${pages.more}>${common("more")}</${Button}></div>`}
    ${opened && html`<${SourceDialog} passage=${{ ...opened, knowledge_base_id: base.id, document_id: row.document_id, version: row.visible_version, title: row.title || row.document_id }} close=${() => setOpened(null)} />`}
  </section>`;
}
