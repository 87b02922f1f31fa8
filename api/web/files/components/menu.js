import { html, useEffect, useLayoutEffect, useRef, useState } from "../core/html.js";
import { Button } from "./button.js";

/**
 * A button that opens a list of acts: arrow keys walk, Escape and a click elsewhere close it.
 * @param {{label: string, icon?: string, items: ({label: string, icon?: string, danger?: boolean, checked?: boolean, run: () => void} | null)[]}} props
 */
export function Menu({ label, icon = "more", items, children, align = "end" }) {
  const [isOpen, setOpen] = useState(false);
  const [isUp, setUp] = useState(false); // where there is no room below
  const box = useRef(null);
  useLayoutEffect(() => {
    const list = isOpen && box.current.querySelector("[role=menu]");
    setUp(Boolean(list) && list.getBoundingClientRect().bottom > innerHeight && box.current.getBoundingClientRect().top > list.offsetHeight);
  }, [isOpen]);
  useEffect(() => {
    if (!isOpen) return undefined;
    box.current.querySelector("[role^=menuitem]")?.focus();
    const away = (event) => box.current?.contains(event.target) || setOpen(false);
    document.addEventListener("pointerdown", away);
    return () => document.removeEventListener("pointerdown", away);
  }, [isOpen]);
  const close = () => {
    setOpen(false);
    box.current.querySelector("button").focus();
  };
  const walk = (event) => {
    const all = [...box.current.querySelectorAll("[role^=menuitem]")];
    const at = all.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      all[(to + all.length) % all.length].focus();
    } else if (event.key === "Escape" || event.key === "Tab") {
      if (event.key === "Escape") event.stopPropagation();
      close();
    }
  };
  return html`<div class="menu" ref=${box}>
    <${Button} kind="quiet" icon=${icon} label=${label} aria-haspopup="menu" aria-expanded=${isOpen ? "true" : "false"} onClick=${() => setOpen(!isOpen)}>${children}</${Button}>
    ${isOpen && html`<div class=${`menu-list ${align}${isUp ? " up" : ""}`} role="menu" aria-label=${label} onKeyDown=${walk}>
      ${items.filter(Boolean).map(
        (item) => html`<button key=${item.label} type="button" tabindex="-1" role=${item.checked === undefined ? "menuitem" : "menuitemradio"} aria-checked=${item.checked === undefined ? null : String(item.checked)} class=${item.danger ? "danger" : ""} onClick=${() => {
          close();
          item.run();
        }}>${item.label}${item.checked ? " ✓" : ""}</button>`,
      )}
    </div>`}
  </div>`;
}
