// Citations of an answer: numbered markers in the text with a card, and the list of its sources.
import { html, signal, useLayoutEffect, useRef, useState } from "../../core/html.js";
import { formatNumber, formatPlace } from "../../core/words.js";
import { t } from "./words.js";

const QUOTE_CHARS_MAX = 320;
const GAP_PX = 8;
const SOURCES_MAX = 12; // more are shown on demand

const card = signal(null); // {citations, box} of the marker that is pointed at

/** Nothing is pointed at any more. */
export function hideCard() {
  if (card.value) card.value = null;
}

/**
 * The number of a source in the text; as it was written when the answer has no such source.
 * @param {{marker: number, raw: string, citations: import("../../core/html.js").Signal<object[]>, open: (citation: object) => void}} props
 */
export function CitationMarker({ marker, raw, citations, open }) {
  const own = citations.value.filter((citation) => citation.marker === marker);
  if (!own.length) return raw;
  const show = (event) => {
    card.value = { citations: own, box: event.currentTarget.getBoundingClientRect() };
  };
  const onClick = () => {
    hideCard();
    open(own[0]);
  };
  return html`<button type="button" class="citation" aria-label=${t("source", { marker, title: own[0].title })} onMouseEnter=${show} onMouseLeave=${hideCard} onFocus=${show} onBlur=${hideCard} onClick=${onClick}>${marker}</button>`;
}

/** The card of the marker that is pointed at: above the text, since messages cut off what leaves them. */
export function CitationCard() {
  const element = useRef(null);
  const shown = card.value;
  useLayoutEffect(() => {
    if (!shown) return;
    const { box } = shown;
    const { offsetWidth: width, offsetHeight: height } = element.current;
    const left = Math.max(GAP_PX, Math.min(box.left + box.width / 2 - width / 2, innerWidth - width - GAP_PX));
    const isAbove = box.top > height + 2 * GAP_PX;
    Object.assign(element.current.style, { left: `${left}px`, top: `${isAbove ? box.top - height - GAP_PX : box.bottom + GAP_PX}px` });
  }, [shown]);
  if (!shown) return null;
  const [first] = shown.citations;
  const quotes = [...new Set(shown.citations.map((citation) => citation.quote))].slice(0, 3);
  return html`<div class="citation-card" role="tooltip" ref=${element}>
    <strong dir="auto">${first.title}</strong>
    ${first.locator && html`<span class="minor">${formatPlace(first.locator)}</span>`}
    ${quotes.map((quote) => html`<blockquote key=${quote} dir="auto">${quote.length > QUOTE_CHARS_MAX ? `${quote.slice(0, QUOTE_CHARS_MAX)}…` : quote}</blockquote>`)}
  </div>`;
}

/** Each source once, in the order of their numbers; the first of many. @param {{citations: object[], open: (citation: object) => void}} props */
export function SourceList({ citations, open }) {
  const [isWhole, setWhole] = useState(false);
  const list = useRef(null);
  const sources = [...new Map(citations.map((citation) => [citation.marker, citation]).reverse()).values()].sort((one, other) => one.marker - other.marker);
  useLayoutEffect(() => {
    if (isWhole) list.current?.children[SOURCES_MAX]?.querySelector("button").focus(); // the button that had it has gone
  }, [isWhole]);
  if (!sources.length) return null;
  const isCut = !isWhole && sources.length > SOURCES_MAX + 1;
  return html`<section class="sources" aria-label=${t("sources")}>
    <ol ref=${list}>${(isCut ? sources.slice(0, SOURCES_MAX) : sources).map(
      (source) => html`<li key=${source.marker}><button type="button" onClick=${() => open(source)}>
        <span class="citation" aria-hidden="true">${source.marker}</span><span class="source-title" dir="auto">${source.title}</span>${source.locator && html`<span class="minor source-place" dir="auto">${formatPlace(source.locator)}</span>`}
      </button></li>`,
    )}${isCut && html`<li><button type="button" class="all-sources" onClick=${() => setWhole(true)}>${t("all_sources", { count: formatNumber(sources.length) })}</button></li>`}</ol>
  </section>`;
}
