// The pages of a document, one at a time.
import { html, useEffect, useRef, useState } from "../../core/html.js";
import { Button } from "../button.js";
import { PageView, imageWidth } from "./page_view.js";
import { t } from "./words.js";

const START_WIDTH = 600; // CSS pixels, until it is known how wide the panel is

/**
 * @param {{path: string, title: string, count: number, page: number, turn: (page: number) => void, quoted: {page: number, boxes: any[]}[]}} props
 * `quoted`: the pages with boxes over the quote
 */
export function PageTurner({ path, title, count, page, turn, quoted }) {
  const place = useRef(null);
  const [width, setWidth] = useState(0);
  useEffect(() => setWidth(imageWidth(place.current.clientWidth || START_WIDTH)), []);
  return html`<div class="stack" ref=${place}>
    <div class="row wrap">
      <${Button} kind="quiet" icon="chevron_left" label=${t("previous_page")} disabled=${page <= 1} onClick=${() => turn(page - 1)} />
      <span aria-live="polite">${t("page_of", { page, count })}</span>
      <${Button} kind="quiet" icon="chevron_right" label=${t("next_page")} disabled=${page >= count} onClick=${() => turn(page + 1)} />
      ${(quoted.length > 1 || (quoted.length > 0 && quoted[0].page !== page)) && html`<span class="minor">${t("quoted_pages")}</span>
        ${quoted.map((each) => html`<${Button} key=${each.page} aria-current=${each.page === page ? "page" : null} onClick=${() => turn(each.page)}>${each.page}</${Button}>`)}`}
    </div>
    ${width > 0 && html`<${PageView} path=${path} page=${page} title=${title} width=${width} boxes=${quoted.find((each) => each.page === page)?.boxes ?? []} />`}
  </div>`;
}
