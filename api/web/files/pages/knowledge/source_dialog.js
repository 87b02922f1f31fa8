import { html, useEffect, useMemo, useRef } from "../../core/html.js";
import { lazy } from "../../core/lazy.js";
import { Loading } from "../../components/loading.js";
import { t } from "./words.js";

const SourcePanel = lazy(() => import("../../components/source/source_panel.js"), "SourcePanel", html`<${Loading} />`);
const QUOTE_CHARS_MAX = 400; // highlighted, from the beginning of the passage

/**
 * A passage where it stands: on the page of its file, or among the text around it; without a text and a chunk a version from its first page on.
 * @param {{label?: string, passage: {knowledge_base_id: string, document_id: string, version: number, chunk_id: string, title: string, locator: string, text: string}, close: () => void}} props
 */
export function SourceDialog({ passage, close, label = t("place") }) {
  const dialog = useRef(null);
  useEffect(() => {
    dialog.current.showModal();
  }, []);
  const citation = useMemo(() => ({ ...passage, quote: passage.text.slice(0, QUOTE_CHARS_MAX) }), [passage]);
  return html`<dialog ref=${dialog} class="dialog wide source-dialog" aria-label=${label} onClose=${close} onClick=${(event) => event.target === dialog.current && close()}>
    <${SourcePanel} citation=${citation} close=${close} />
  </dialog>`;
}
