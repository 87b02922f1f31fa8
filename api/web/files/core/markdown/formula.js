import { html, useEffect, useRef, useState } from "../html.js";
import { loadStyle } from "../router.js";
import { inTurn } from "../turns.js";

const CHARS_MAX = 5_000; // longer ones stay as they were written

/**
 * A formula of LaTeX as MathML, which screen readers read; as it was written until it is drawn, and where it is none.
 * @param {{text: string, raw: string, isDisplay?: boolean}} props
 */
export function Formula({ text, raw, isDisplay = false }) {
  const place = useRef(null);
  const [isDrawn, setDrawn] = useState(false);
  useEffect(() => {
    if (text.length > CHARS_MAX) return undefined;
    let isGone = false;
    const draw = ({ default: temml }) => {
      if (isGone) return;
      const fragment = document.createElement("span");
      temml.render(text, fragment, { displayMode: isDisplay, throwOnError: true, maxExpand: 200, maxSize: [20, 40], trust: false });
      place.current.replaceChildren(...fragment.childNodes);
      setDrawn(true);
    };
    loadTemml()
      .then((module) => inTurn(() => draw(module)))
      .catch(() => !isGone && setDrawn(false));
    return () => {
      isGone = true;
    };
  }, [text, isDisplay]);
  return html`<span class=${isDisplay ? "formula display" : "formula"}><span hidden=${isDrawn}>${raw}</span><span ref=${place} hidden=${!isDrawn}></span></span>`;
}

let loading = null;

/** The package with its style, each loaded once; a load that failed is tried again with the next formula. */
function loadTemml() {
  loading ??= Promise.all([import("../../vendor/temml.js"), loadStyle("vendor/temml.css")]).then(
    ([module]) => module,
    (error) => {
      loading = null;
      throw error;
    },
  );
  return loading;
}
