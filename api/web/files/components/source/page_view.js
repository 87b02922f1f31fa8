// One page of a document as an image, with boxes over the quoted words.
import { html, useEffect, useRef } from "../../core/html.js";
import { query, send } from "../../core/http.js";
import { useResource } from "../../core/resource.js";
import { Loading } from "../loading.js";
import { ProblemNote } from "../problem_note.js";
import { t } from "./words.js";

export const WIDTHS = [480, 800, 1200, 1600]; // that the API makes

/** The narrowest image that is sharp at this width on the screen. */
export function imageWidth(width, ratio = devicePixelRatio) {
  return WIDTHS.find((each) => each >= width * ratio) ?? WIDTHS.at(-1);
}

/**
 * @param {{path: string, page: number, title: string, width: number, boxes: {left: number, top: number, width: number, height: number}[]}} props
 * `path`: of the version in the API; boxes in fractions of the page
 */
export function PageView({ path, page, title, width, boxes }) {
  const address = `${path}/pages/${page}${query({ width })}`;
  const image = useResource((signal) => loadImage(address, signal), [address]);
  const url = image.data?.address === address ? image.data.url : null; // not that of the page before
  const figure = useRef(null);
  useEffect(() => () => image.data && URL.revokeObjectURL(image.data.url), [image.data]);
  const showQuote = () => figure.current?.querySelector(".source-box")?.scrollIntoView({ block: "center" });
  if (image.problem) return html`<${ProblemNote} problem=${image.problem} retry=${image.reload} />`;
  if (!url) return html`<div class="source-page waiting"><${Loading} /></div>`;
  return html`<figure class="source-page" ref=${figure}>
    <img src=${url} alt=${t("page_image", { page, title })} onLoad=${showQuote} />
    ${boxes.map((box) => html`<span class="source-box" aria-hidden="true" ref=${(element) => element && place(element, box)}></span>`)}
  </figure>`;
}

async function loadImage(address, signal) {
  const answer = await send("GET", address, { signal });
  return { address, url: URL.createObjectURL(await answer.blob()) };
}

function place(element, box) {
  for (const side of ["left", "top", "width", "height"]) element.style[side] = `${box[side] * 100}%`;
}
