import { html, useEffect, useLayoutEffect, useRef } from "../../core/html.js";
import { formatNumber } from "../../core/words.js";
import { Button } from "../../components/button.js";
import { t } from "./words.js";

const CHARS_MAX = 100_000; // the API's own limit may be lower, and says so
const HEIGHT_PX_MAX = 280;

/**
 * Where questions are written. Enter sends, Shift+Enter begins a line; Enter that ends the composition of a word (Chinese, Japanese) does neither.
 * @param {{value: string, setValue: (value: string) => void, send: (value: string) => any, busy?: boolean, stop?: (() => void) | null,
 *   isStopping?: boolean, editLast?: () => void, autofocus?: boolean, children?: any}} props `stop`: while an answer is written
 */
export function Composer({ value, setValue, send, busy = false, stop = null, isStopping = false, editLast, autofocus = false, children }) {
  const area = useRef(null);
  useLayoutEffect(() => fitHeight(area.current), [value]);
  useEffect(() => {
    if (autofocus && matchMedia("(hover: hover)").matches) area.current.focus(); // no keyboard that pops up on phones
  }, []);
  const isSendable = Boolean(value.trim()) && value.length <= CHARS_MAX && !busy && !stop;
  const submit = () => {
    if (isSendable) send(value);
  };
  const onKeyDown = (event) => {
    if (isComposing(event)) return;
    if (event.key === "Enter" && !event.shiftKey && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      submit();
    } else if (event.key === "ArrowUp" && !value && editLast) {
      event.preventDefault();
      editLast();
    }
  };
  return html`<form class="composer" onSubmit=${(event) => (event.preventDefault(), submit())}>
    <textarea ref=${area} rows="1" dir="auto" aria-label=${t("question")} placeholder=${t("ask_placeholder")} value=${value} onInput=${(event) => setValue(event.target.value)} onKeyDown=${onKeyDown} enterkeyhint="send"></textarea>
    <div class="composer-foot">
      ${children}
      <span class="stretch"></span>
      ${value.length > CHARS_MAX && html`<span class="field-error" role="alert">${t("too_long", { limit: formatNumber(CHARS_MAX) })}</span>`}
      ${stop
        ? html`<${Button} kind="primary stop" icon="stop" label=${t(isStopping ? "stopping" : "stop")} disabled=${isStopping} onClick=${stop} />`
        : html`<${Button} kind="primary" type="submit" icon="send" label=${t("send")} title=${`${t("send")} (${t("keys")})`} disabled=${!isSendable} busy=${busy} />`}
    </div>
  </form>`;
}

/** Whether a key belongs to the composition of a word. 229: browsers that end it before the key's event. */
export function isComposing(event) {
  return event.isComposing || event.keyCode === 229;
}

/** As high as its text, up to a limit. */
export function fitHeight(area) {
  area.style.height = "auto";
  area.style.height = `${Math.min(area.scrollHeight + 2, HEIGHT_PX_MAX)}px`;
}
