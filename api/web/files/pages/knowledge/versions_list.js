// The versions of a document: which one readers see, and replaced ones that can still be read.
import { html, useState } from "../../core/html.js";
import { usePages } from "../../core/paging.js";
import { formatBytes, formatNumber, formatTime } from "../../core/words.js";
import { Button } from "../../components/button.js";
import { Loading } from "../../components/loading.js";
import { ProblemNote } from "../../components/problem_note.js";
import { t as common } from "../../components/words.js";
import { listVersions } from "./requests.js";
import { SourceDialog } from "./source_dialog.js";
import { t } from "./words.js";

const BADGES = { present: "good", pending: "", replaced: "", failed: "danger" };

/** @param {{base: {id: string}, row: {document_id: string, version: number, visible_version: number | null, state: string}}} props */
export function VersionsList({ base, row }) {
  const [opened, setOpened] = useState(null);
  const pages = usePages((cursor, signal) => listVersions(base.id, row.document_id, cursor, signal), (each) => each.version, [base.id, row.document_id, row.version, row.visible_version, row.state], { keep: true });
  return html`<section class="card" aria-label=${t("versions_title")}>
    <div><h2>${t("versions_title")}</h2><p class="minor">${t("versions_text")}</p></div>
    <${ProblemNote} problem=${pages.problem} retry=${pages.items ? pages.more : pages.reload} />
    ${pages.items === null && !pages.problem && html`<${Loading} />`}
    <ul class="versions">
      ${(pages.items ?? []).map((each) => html`<${Version} key=${each.version} version=${each} name=${nameOf(each, row)} open=${() => setOpened(each)} />`)}
    </ul>
    ${pages.hasMore && html`<div><${Button} busy=${pages.loading} onClick=${pages.more}>${common("more")}</${Button}></div>`}
    ${opened && html`<${SourceDialog} label=${t("version_source")} passage=${{ knowledge_base_id: base.id, document_id: row.document_id, version: opened.version, chunk_id: "", text: "", title: nameOf(opened, row), locator: "" }} close=${() => setOpened(null)} />`}
  </section>`;
}

function Version({ version, name, open }) {
  const isReadable = version.state === "present" || version.has_file;
  return html`<li class="row wrap">
    <span class=${`badge ${BADGES[version.state]}`}>${t(`version_${version.state}`)}</span>
    <span class="stretch"><bdi>${name}</bdi>${version.filename && version.filename !== name && html` <span class="minor"><bdi>${version.filename}</bdi></span>`}</span>
    ${version.bytes > 0 && html`<span class="minor">${formatBytes(version.bytes)}</span>`}
    ${version.submitted_at && html`<time class="minor" datetime=${version.submitted_at}>${formatTime(version.submitted_at)}</time>`}
    ${isReadable && html`<${Button} kind="quiet" icon="document" aria-label=${t("open_version", { version: formatNumber(version.version) })} onClick=${open}>${t("open")}</${Button}>`}
  </li>`;
}

function nameOf(version, row) {
  return version.title || version.filename || row.document_id;
}
