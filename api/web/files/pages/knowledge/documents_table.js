import { html, useEffect, useMemo, useRef, useState } from "../../core/html.js";
import { navigate } from "../../core/router.js";
import { formatBytes, formatNumber } from "../../core/words.js";
import { Button } from "../../components/button.js";
import { Icon } from "../../components/icon.js";
import { Loading } from "../../components/loading.js";
import { Menu } from "../../components/menu.js";
import { ProblemNote } from "../../components/problem_note.js";
import { showProblem, showToast } from "../../components/toasts.js";
import { t as common } from "../../components/words.js";
import { BulkDialog } from "./bulk_dialog.js";
import { kindOf } from "./document_names.js";
import { Cause, DocumentState } from "./document_state.js";
import { STATES, isOpen, rowsOf } from "./documents.js";
import { sourceOf } from "./documents_view.js";
import { usePages } from "../../core/paging.js";
import { cancelDocument, documentUrl, listDocuments, reprocessDocument } from "./requests.js";
import { t } from "./words.js";

const RENEW_MS = 800; // after documents that the list does not have have ended

/** The documents of a knowledge base as they are now, the last submitted first. */
export function DocumentsTable({ base, isOwn, watch, queue, bytesMax }) {
  const [state, setState] = useState("");
  const [selected, setSelected] = useState(new Set());
  const [bulk, setBulk] = useState(null);
  const pages = usePages((cursor, signal) => listDocuments(base.id, state, cursor, signal), (row) => row.document_id, [base.id, state]);
  const live = watch.live.value;
  const counts = watch.counts.value;
  const rows = useMemo(() => (pages.items ? rowsOf(pages.items, live, state) : []), [pages.items, live, state]);
  const known = useMemo(() => new Set((pages.items ?? []).map((row) => row.document_id)), [pages.items]);
  useEffect(() => {
    if (pages.items) watch.know(pages.items);
  }, [pages.items]);
  const snapshots = watch.snapshots.value;
  useEffect(() => {
    if (snapshots) pages.renew();
  }, [snapshots]);
  const isBehind = pages.items !== null && rows.some((row) => !known.has(row.document_id) && !isOpen(row.state));
  useEffect(() => {
    if (!isBehind) return undefined;
    const timer = setTimeout(pages.renew, RENEW_MS);
    return () => clearTimeout(timer);
  }, [isBehind, live]);
  const chosen = rows.filter((row) => selected.has(row.document_id));
  const toggle = (ids, on) => {
    const next = new Set(selected);
    for (const id of ids) next[on ? "add" : "delete"](id);
    setSelected(next);
  };
  const isEmpty = pages.items && !rows.length && !pages.hasMore;
  return html`<section class="stack" aria-label=${t("part_documents")}>
    <${StateFilter} state=${state} counts=${counts} choose=${(chosenState) => (setSelected(new Set()), setState(chosenState))} />
    ${chosen.length > 0 && html`<div class="row wrap selection" role="toolbar" aria-label=${t("selection")}>
      <span class="stretch">${t("selected", { count: formatNumber(chosen.length) })}</span>
      <${Button} icon="refresh" onClick=${() => setBulk({ act: "reprocess", rows: chosen })}>${t("reprocess")}</${Button}>
      <${Button} icon="trash" onClick=${() => setBulk({ act: "delete", rows: chosen })}>${t("delete")}</${Button}>
      <${Button} kind="quiet" onClick=${() => setSelected(new Set())}>${t("select_none")}</${Button}>
    </div>`}
    <${ProblemNote} problem=${pages.problem} retry=${pages.renew} />
    ${pages.items === null && !pages.problem && html`<${Loading} />`}
    ${isEmpty && html`<${NoDocuments} state=${state} isOwn=${isOwn} />`}
    ${rows.length > 0 && html`<div class="card flush"><table class="documents">
      <thead><tr>
        ${isOwn && html`<th class="choose"><input type="checkbox" aria-label=${t("select_all")} checked=${chosen.length === rows.length} indeterminate=${chosen.length > 0 && chosen.length < rows.length} onChange=${(event) => toggle(rows.map((row) => row.document_id), event.target.checked)} /></th>`}
        <th>${t("document")}</th><th>${t("state")}</th><th class="kind">${t("kind")}</th><th class="number size">${t("size")}</th><th class="number chunks">${t("chunks")}</th>${isOwn && html`<th class="acts"><span class="unseen">${t("acts")}</span></th>`}
      </tr></thead>
      <tbody>${rows.map((row) => html`<${Row} key=${row.document_id} row=${row} base=${base} isOwn=${isOwn} queue=${queue} bytesMax=${bytesMax} isSelected=${selected.has(row.document_id)} select=${(on) => toggle([row.document_id], on)} remove=${() => setBulk({ act: "delete", rows: [row] })} />`)}</tbody>
    </table></div>`}
    ${pages.hasMore && html`<div><${Button} busy=${pages.loading} onClick=${pages.more}>${common("more")}</${Button}></div>`}
    ${bulk && html`<${BulkDialog} base=${base} act=${bulk.act} rows=${bulk.rows} close=${() => setBulk(null)} done=${() => (setSelected(new Set()), pages.renew())} />`}
  </section>`;
}

function StateFilter({ state, counts, choose }) {
  const countOf = (name) => (name ? (counts.counts[name] ?? 0) : counts.documents);
  if (!state && counts.isKnown && counts.documents === 0) return null;
  const shown = ["", ...STATES].filter((name) => name === "" || name === state || countOf(name) > 0);
  return html`<div class="row wrap filter" role="group" aria-label=${t("filter")}>
    ${shown.map(
      (name) => html`<button key=${name} type="button" class="chip" aria-pressed=${String(name === state)} onClick=${() => choose(name)}>
        ${name ? t(`state_${name}`) : t("all")}${counts.isKnown && html` <span class="count">${formatNumber(countOf(name))}</span>`}
      </button>`,
    )}
  </div>`;
}

function NoDocuments({ state, isOwn }) {
  if (state) return html`<p class="minor">${t("no_documents_in_state")}</p>`;
  return html`<div class="card empty">
    <${Icon} name="document" />
    <h2>${t("no_documents")}</h2>
    <p class="minor">${t(isOwn ? "no_documents_text" : "no_documents_foreign")}</p>
  </div>`;
}

function Row({ row, base, isOwn, queue, bytesMax, isSelected, select, remove }) {
  const title = row.title || row.document_id;
  return html`<tr class=${isSelected ? "selected" : ""}>
    ${isOwn && html`<td class="choose"><input type="checkbox" aria-label=${t("select", { title })} checked=${isSelected} onChange=${(event) => select(event.target.checked)} /></td>`}
    <td class="title">
      <a href=${documentUrl(base.id, row.document_id)}><bdi>${title}</bdi></a>
      ${title !== row.document_id && html`<p class="minor"><bdi>${row.document_id}</bdi></p>`}
      <${Cause} problem=${row.problem} />
      ${row.state === "failed" && isOwn && html`<${Remedy} row=${row} base=${base} queue=${queue} bytesMax=${bytesMax} />`}
    </td>
    <td class="state-cell"><${DocumentState} row=${row} /></td>
    <td class="kind">${kindOf(row.media_type)}</td>
    <td class="number size">${row.bytes ? formatBytes(row.bytes) : ""}</td>
    <td class="number chunks">${row.chunks ? formatNumber(row.chunks) : ""}</td>
    ${isOwn && html`<td class="acts"><${DocumentMenu} row=${row} base=${base} queue=${queue} bytesMax=${bytesMax} remove=${remove} /></td>`}
  </tr>`;
}

/** What can be done about a failure without leaving the page. */
function Remedy({ row, base, queue, bytesMax }) {
  const needsPassword = row.problem?.code === "password_required" || row.problem?.code === "password_wrong";
  return html`<p class="row wrap">
    ${needsPassword
      ? html`<a class="button" href=${documentUrl(base.id, row.document_id)}>${t("enter_password")}</a>`
      : html`<${Button} icon="refresh" onClick=${() => retry(base, row)}>${common("retry")}</${Button}>`}
    <${ReplaceButton} row=${row} queue=${queue} bytesMax=${bytesMax} />
  </p>`;
}

/** A button that chooses another file for the same document. */
export function ReplaceButton({ row, queue, bytesMax }) {
  const input = useRef(null);
  return html`<${Button} icon="upload" onClick=${() => input.current.click()}>${t("replace")}</${Button}><${ReplaceInput} input=${input} row=${row} queue=${queue} bytesMax=${bytesMax} />`;
}

function ReplaceInput({ input, row, queue, bytesMax }) {
  const choose = (event) => {
    const [file] = event.target.files;
    if (file) queue.add([{ ...sourceOf(file, row.document_id, bytesMax), name: row.title || row.document_id }]);
    event.target.value = "";
  };
  return html`<input ref=${input} type="file" hidden aria-label=${t("replace")} onChange=${choose} />`;
}

/** What one may do with a document. */
export function DocumentMenu({ row, base, queue, bytesMax, remove }) {
  const input = useRef(null);
  return html`<${Menu} label=${t("document_menu", { title: row.title || row.document_id })} items=${[
    { label: t("open"), run: () => navigate(documentUrl(base.id, row.document_id)) },
    { label: `${t("replace")}…`, run: () => input.current.click() },
    isOpen(row.state) ? { label: t("cancel_work"), run: () => cancelDocument(base.id, row.document_id).catch(showProblem) } : { label: t("reprocess"), run: () => retry(base, row) },
    { label: t("delete"), danger: true, run: remove },
  ]} /><${ReplaceInput} input=${input} row=${row} queue=${queue} bytesMax=${bytesMax} />`;
}

/** Processes the present content of a document once more. */
export async function retry(base, row) {
  try {
    await reprocessDocument(base.id, row.document_id);
    showToast(t("reprocessing", { title: row.title || row.document_id }));
  } catch (problem) {
    showProblem(problem);
  }
}
