// Data that are looked at again and again while somebody sees them.
import { useCallback, useEffect, useRef, useState } from "../../core/html.js";

/**
 * What `load` resolves to, loaded at once and `every_ms` after each answer, but not while the page is hidden. The last data stay when a
 * load fails, beside its problem.
 * @template T
 * @param {(signal: AbortSignal) => Promise<T>} load
 * @param {number} every_ms 0: not again
 * @param {unknown[]} deps
 * @returns {{data: T | null, problem: Error | null, at: Date | null, reload: () => void}}
 */
export function usePolled(load, every_ms, deps) {
  const [state, setState] = useState({ data: null, problem: null, at: null });
  const again = useRef(() => {});
  useEffect(() => {
    const stop = new AbortController();
    let timer = null;
    let running = false;
    const look = async () => {
      clearTimeout(timer);
      if (running) return;
      running = true;
      try {
        const data = await load(stop.signal);
        if (!stop.signal.aborted) setState({ data, problem: null, at: new Date() });
      } catch (problem) {
        if (!stop.signal.aborted) setState((before) => ({ ...before, problem }));
      }
      running = false;
      if (!stop.signal.aborted && every_ms && !document.hidden) timer = setTimeout(look, every_ms);
    };
    const seen = () => document.hidden || look();
    document.addEventListener("visibilitychange", seen);
    again.current = look;
    look();
    return () => {
      stop.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", seen);
    };
  }, deps);
  const reload = useCallback(() => again.current(), []);
  return { ...state, reload };
}
