// The places of messages in a long conversation: those that are far from what is seen are empty, and as high as they were.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../../core/html.js";

const NEAR_PX = 1500; // above and below what is seen
const FILLED_AT_ONCE = 2; // in one task, so that none holds up whoever scrolls
const FILLED_MAX = 80; // shorter conversations stay whole: the browser finds words in all of them
const HEIGHT_PX = { user: 90, assistant: 240 }; // of what was never drawn

/** Fills the slots that come near, those that came last first, and empties those that are far. */
export class SlotWatcher {
  constructor() {
    this.slots = new Map(); // by element: {fill, isFilled}
    this.waiting = new Set();
    this.filled = 0;
    this.isDraining = false;
    this.observer = null;
  }

  /** @param {HTMLElement} scroller */
  attach(scroller) {
    this.observer = new IntersectionObserver((entries) => this.look(entries), { root: scroller, rootMargin: `${NEAR_PX}px 0px` });
    for (const element of this.slots.keys()) this.observer.observe(element);
    return () => this.observer.disconnect();
  }

  /** @param {HTMLElement} element @param {(isFilled: boolean, height: number) => void} fill @param {boolean} isFilled from the start */
  add(element, fill, isFilled) {
    this.slots.set(element, { fill, isFilled });
    this.filled += isFilled ? 1 : 0;
    this.observer?.observe(element);
    return () => {
      this.filled -= this.slots.get(element).isFilled ? 1 : 0;
      this.slots.delete(element);
      this.waiting.delete(element);
      this.observer?.unobserve(element);
    };
  }

  look(entries) {
    for (const { target, isIntersecting, boundingClientRect } of entries) {
      const slot = this.slots.get(target);
      if (!slot) continue;
      if (isIntersecting) {
        if (!slot.isFilled) this.waiting.add(target);
      } else {
        this.waiting.delete(target);
        // nothing that somebody is writing is taken away
        if (slot.isFilled && this.filled > FILLED_MAX && !target.contains(document.activeElement) && !target.querySelector("form")) {
          this.set(slot, false, boundingClientRect.height);
        }
      }
    }
    this.drain();
  }

  drain() {
    if (this.isDraining || !this.waiting.size) return;
    this.isDraining = true;
    setTimeout(() => {
      this.isDraining = false;
      for (const element of [...this.waiting].slice(-FILLED_AT_ONCE)) {
        this.waiting.delete(element);
        this.set(this.slots.get(element), true, 0);
      }
      requestAnimationFrame(() => this.drain());
    });
  }

  set(slot, isFilled, height) {
    slot.isFilled = isFilled;
    this.filled += isFilled ? 1 : -1;
    slot.fill(isFilled, height);
  }
}

/** A watcher of the slots in a scroller. @param {{current: HTMLElement}} scroller */
export function useSlots(scroller) {
  const watcher = useMemo(() => new SlotWatcher(), []);
  useEffect(() => watcher.attach(scroller.current), []);
  return watcher;
}

/** The place of a message. @param {{id: string, role: "user" | "assistant", watcher: SlotWatcher, isFilled: boolean, draw: () => any}} props */
export function Slot({ id, role, watcher, isFilled, draw }) {
  const [shown, setShown] = useState({ isFilled, height: HEIGHT_PX[role] });
  const element = useRef(null);
  useLayoutEffect(() => watcher.add(element.current, (filled, height) => setShown({ isFilled: filled, height }), isFilled), []);
  useLayoutEffect(() => {
    element.current.style.height = shown.isFilled ? "" : `${shown.height}px`;
  }, [shown]);
  return html`<div class="slot" id=${`message-${id}`} ref=${element}>${shown.isFilled && draw()}</div>`;
}
