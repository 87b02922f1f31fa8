import { html, useEffect, useRef, useState } from "../../core/html.js";
import { useResource } from "../../core/resource.js";
import { formatBytes } from "../../core/words.js";
import { Button } from "../../components/button.js";
import { Icon } from "../../components/icon.js";
import { showToast } from "../../components/toasts.js";
import { AddressDialog, PasteDialog } from "./add_dialogs.js";
import { documentIdOf, refusalOf } from "./document_names.js";
import { DocumentsTable } from "./documents_table.js";
import { FILES_MAX, filesOfDrop, filesOfInput } from "./folder_walk.js";
import { readFileBytesMax } from "./requests.js";
import { UploadsPanel } from "./uploads_panel.js";
import { t } from "./words.js";

/** The documents of a knowledge base, and the ways to add some. */
export function DocumentsView({ base, isOwn, watch, queue }) {
  const limit = useResource(() => readFileBytesMax(), []);
  const add = ({ files, isCut }) => {
    if (isCut) showToast(t("files_cut", { max: FILES_MAX }));
    queue.add(files.map(({ file, path }) => sourceOf(file, documentIdOf(path), limit.data)));
  };
  const table = html`<${DocumentsTable} base=${base} isOwn=${isOwn} watch=${watch} queue=${queue} bytesMax=${limit.data} />`;
  if (!isOwn) return table;
  return html`<${DropArea} base=${base} queue=${queue} add=${add} bytesMax=${limit.data} /><${UploadsPanel} queue=${queue} />${table}`;
}

/** What the queue takes of a file. */
export function sourceOf(file, documentId, bytesMax) {
  return { documentId, name: documentId, bytes: file.size, file, refusal: refusalOf(file, bytesMax), bytesMax };
}

function DropArea({ base, queue, add, bytesMax }) {
  const [dialog, setDialog] = useState("");
  const [isOver, setOver] = useState(false);
  const files = useRef(null);
  const folder = useRef(null);
  useEffect(() => {
    let depth = 0; // enter and leave are told for every element on the way
    const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
    const handlers = {
      dragenter: () => setOver(++depth > 0),
      dragleave: () => setOver(--depth > 0),
      dragover: () => {},
      drop: (event) => {
        depth = 0;
        setOver(false);
        filesOfDrop(event.dataTransfer).then(add, () => showToast(t("drop_unreadable")));
      },
    };
    const listeners = Object.entries(handlers).map(([name, handle]) => [name, (event) => hasFiles(event) && (event.preventDefault(), handle(event))]);
    for (const [name, listener] of listeners) addEventListener(name, listener);
    return () => listeners.forEach(([name, listener]) => removeEventListener(name, listener));
  }, [add]);
  const choose = (event) => {
    add(filesOfInput(event.target.files));
    event.target.value = ""; // the same file again is a choice, too
  };
  return html`<section class=${isOver ? "drop over" : "drop"} aria-label=${t("add")}>
    <${Icon} name="upload" />
    <div class="stretch">
      <p><strong>${t(isOver ? "drop_now" : "drop")}</strong></p>
      <p class="minor">${t("drop_kinds")}${bytesMax ? ` ${t("drop_limit", { size: formatBytes(bytesMax) })}` : ""}</p>
    </div>
    <div class="row wrap">
      <${Button} kind="primary" icon="document" onClick=${() => files.current.click()}>${t("choose_files")}</${Button}>
      <${Button} icon="folder" onClick=${() => folder.current.click()}>${t("choose_folder")}</${Button}>
      <${Button} icon="edit" onClick=${() => setDialog("text")}>${t("paste_text")}</${Button}>
      <${Button} icon="link" onClick=${() => setDialog("address")}>${t("add_addresses")}</${Button}>
    </div>
    <input ref=${files} type="file" multiple hidden aria-label=${t("choose_files")} onChange=${choose} />
    <input ref=${folder} type="file" webkitdirectory hidden aria-label=${t("choose_folder")} onChange=${choose} />
    ${dialog === "text" && html`<${PasteDialog} base=${base} close=${() => setDialog("")} />`}
    ${dialog === "address" && html`<${AddressDialog} queue=${queue} close=${() => setDialog("")} />`}
  </section>`;
}
