// The source of a citation beside the answer: the document in the version that was read, with the quoted words highlighted.
import { html, useEffect, useLayoutEffect, useRef, useState } from "../../core/html.js";
import { formatPlace } from "../../core/words.js";
import { call, query } from "../../core/http.js";
import { useResource } from "../../core/resource.js";
import { loadStyle } from "../../core/router.js";
import { Button } from "../button.js";
import { Loading } from "../loading.js";
import { ProblemNote } from "../problem_note.js";
import { showProblem } from "../toasts.js";
import { PageTurner } from "./page_turner.js";
import { PassageList } from "./passage_list.js";
import { t } from "./words.js";

const FOUND_SHARE_MIN = 0.5; // as the API: with less of the quote nothing is highlighted
const MORE = 6; // passages read on at once

/**
 * @param {{citation: {knowledge_base_id: string, document_id: string, version: number, chunk_id: string, quote: string, title?: string, locator?: string}, replyId?: string, close: () => void}} props
 * Without a quote a version is shown from its first page, or passage, on. Arrow keys turn pages, Escape closes; the focus returns to where it was.
 */
export function SourcePanel({ citation, replyId = "", close }) {
  const panel = useRef(null);
  const [version, setVersion] = useState(citation.version);
  useEffect(() => setVersion(citation.version), [citation]);
  useFocus(panel, [citation, version]);
  const isCited = version === citation.version;
  const path = versionPath(citation, version);
  const source = useResource(
    async (signal) => {
      const asked = { chunk: isCited ? citation.chunk_id : "", quote: citation.quote, reply: isCited ? replyId : "" };
      const [view] = await Promise.all([call("GET", `${path}/source${query(asked)}`, { signal }), loadStyle("components/source/source.css")]);
      return { path, view };
    },
    [path, citation.chunk_id, citation.quote, replyId],
  );
  const view = source.data?.path === path ? source.data.view : null;
  const title = view?.title || citation.title || t("untitled");
  const onKeyDown = (event) => {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    event.preventDefault();
    close();
  };
  return html`<section class="source" ref=${panel} tabindex="-1" aria-label=${t("source", { title })} onKeyDown=${onKeyDown}>
    <header class="row">
      <div class="stretch"><h2>${title}</h2>${isCited && citation.locator && html`<p class="minor">${formatPlace(citation.locator)}</p>`}</div>
      <${Button} kind="quiet" icon="close" label=${t("close_source")} onClick=${close} />
    </header>
    ${source.problem && html`<${ProblemNote} problem=${source.problem} retry=${source.reload} />`}
    ${!view && !source.problem && html`<${Loading} />`}
    ${view && html`<${VersionNote} view=${view} citation=${citation} open=${setVersion} />`}
    ${view && html`<${SourceContent} key=${`${path} ${citation.chunk_id} ${citation.quote}`} view=${view} path=${path} title=${title} citation=${citation} panel=${panel} />`}
  </section>`;
}

/** What has become of the version since, and the way to the present one. */
function VersionNote({ view, citation, open }) {
  if (view.version !== citation.version) return html`<div class="row"><${Button} onClick=${() => open(citation.version)}>${t("open_cited")}</${Button}></div>`;
  if (view.state === "deleted") return html`<p class="source-note" role="status">${t("deleted")}</p>`;
  if (view.state !== "changed") return null;
  if (!citation.quote) return html`<p class="source-note" role="status">${t("replaced")}</p>`;
  const isThere = view.view === "pages" || view.passages.length > 0;
  return html`<div class="source-note" role="status">
    <p>${t(isThere ? "changed" : "changed_gone")}</p>
    ${view.visible_version !== null && html`<${Button} onClick=${() => open(view.visible_version)}>${t("open_present")}</${Button}>`}
  </div>`;
}

function SourceContent({ view, path, title, citation, panel }) {
  const [shown, setShown] = useState(view.view);
  const [page, setPage] = useState(view.first_page);
  const [text, setText] = useState(view);
  const turn = (to) => setPage(Math.min(Math.max(1, to), view.page_count));
  useArrows(panel, shown === "pages" ? (by) => setPage((before) => Math.min(Math.max(1, before + by), view.page_count)) : null);
  const readOn = async (first, isBefore) => {
    try {
      const limit = isBefore ? Math.min(MORE, text.passages[0].ordinal - first) : MORE;
      const more = await call("GET", `${path}/source${query({ quote: citation.quote, first, limit })}`);
      const known = new Set(text.passages.map((passage) => passage.chunk_id));
      const others = more.passages.filter((passage) => !known.has(passage.chunk_id));
      setText({
        ...text,
        passages: isBefore ? [...others, ...text.passages] : [...text.passages, ...others],
        previous: isBefore ? more.previous : text.previous,
        next: isBefore ? text.next : more.next,
      });
    } catch (problem) {
      showProblem(problem);
    }
  };
  if (view.state === "deleted") return html`<${Quote} quote=${citation.quote} />`;
  const isFound = !citation.quote || view.found >= FOUND_SHARE_MIN;
  const isEmpty = shown === "text" && text.passages.length === 0;
  return html`<div class="stack">
    ${view.no_pages && view.no_pages !== "no_pages" && view.passages.length > 0 && html`<p class="minor">${t(view.no_pages)}</p>`}
    ${view.recorded && html`<p class="minor">${t("recorded")}</p>`}
    ${!isFound && html`<p class="minor" role="status">${t("not_found")}</p>`}
    ${view.view === "pages" && text.passages.length > 0 && html`<div class="row"><${Button} kind="quiet" onClick=${() => setShown(shown === "pages" ? "text" : "pages")}>${t(shown === "pages" ? "as_text" : "as_pages")}</${Button}></div>`}
    ${shown === "pages"
      ? html`<${PageTurner} path=${path} title=${title} count=${view.page_count} page=${page} turn=${turn} quoted=${view.pages} />`
      : html`
        ${text.previous !== null && html`<${Button} kind="quiet" onClick=${() => readOn(text.previous, true)}>${t("before")}</${Button}>`}
        <${PassageList} passages=${text.passages} />
        ${text.next !== null && html`<${Button} kind="quiet" onClick=${() => readOn(text.next, false)}>${t("after")}</${Button}>`}`}
    ${isEmpty && !citation.quote && html`<p class="minor">${t("nothing_shown")}</p>`}
    ${citation.quote && (!isFound || text.passages.length === 0) && html`<${Quote} quote=${citation.quote} />`}
  </div>`;
}

function Quote({ quote }) {
  return html`<figure class="source-quote"><figcaption class="minor">${t("quote")}</figcaption><blockquote>${quote}</blockquote></figure>`;
}

/** The path of a version of the cited document in the API, below /api/v1. */
export function versionPath(citation, version = citation.version) {
  return `/knowledge/${citation.knowledge_base_id}/documents/${encodeURIComponent(citation.document_id)}/versions/${version}`;
}

/** The focus is in the panel while it is open, whatever is shown anew, and back where it was afterwards. */
function useFocus(panel, shown) {
  const before = useRef(null);
  useLayoutEffect(() => {
    before.current = document.activeElement;
    // it is where it was read; the thread grows wider in the same moment, and scrolling to it would lose the place
    return () => before.current?.isConnected && before.current.focus({ preventScroll: true });
  }, []);
  useEffect(() => panel.current.focus(), shown);
}

/** Arrow keys within the panel: `move(1)` and `move(-1)`. */
function useArrows(panel, move) {
  const latest = useRef(move);
  latest.current = move;
  useEffect(() => {
    const element = panel.current;
    const listen = (event) => {
      const by = { ArrowRight: 1, PageDown: 1, ArrowLeft: -1, PageUp: -1 }[event.key];
      if (by === undefined || !latest.current || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      latest.current(by);
    };
    element.addEventListener("keydown", listen);
    return () => element.removeEventListener("keydown", listen);
  }, []);
}
