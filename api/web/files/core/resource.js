// Data of the API in a component: loaded when it is shown, and again when it is told to.
import { useCallback, useEffect, useRef, useState } from "./html.js";

/**
 * What `load` resolves to, with the state of loading. While it is loaded again the last data stay.
 * @template T
 * @param {(signal: AbortSignal) => Promise<T>} load
 * @param {unknown[]} deps loaded again when one of them changes
 * @returns {{data: T | null, problem: Error | null, loading: boolean, reload: () => void, set: (data: T) => void}}
 */
export function useResource(load, deps) {
  const [state, setState] = useState({ data: null, problem: null, loading: true });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const stop = new AbortController();
    setState((before) => ({ ...before, loading: true }));
    load(stop.signal).then(
      (data) => stop.signal.aborted || setState({ data, problem: null, loading: false }),
      (problem) => stop.signal.aborted || setState((before) => ({ data: before.data, problem, loading: false })),
    );
    return () => stop.abort();
  }, [...deps, turn]);
  const reload = useCallback(() => setTurn((before) => before + 1), []);
  const set = useCallback((data) => setState({ data, problem: null, loading: false }), []);
  return { ...state, reload, set };
}

/**
 * An act of a person: `run(...)` calls `act` unless it runs already; `problem` is that of the last run.
 * @returns {{run: (...values: any[]) => Promise<any>, busy: boolean, problem: Error | null, clear: () => void}}
 */
export function useAct(act) {
  const [state, setState] = useState({ busy: false, problem: null });
  const busy = useRef(false);
  const latest = useRef(act);
  latest.current = act;
  const run = useCallback(async (...values) => {
    if (busy.current) return undefined;
    busy.current = true;
    setState({ busy: true, problem: null });
    try {
      const result = await latest.current(...values);
      setState({ busy: false, problem: null });
      return result;
    } catch (problem) {
      setState({ busy: false, problem });
      return undefined;
    } finally {
      busy.current = false;
    }
  }, []);
  const clear = useCallback(() => setState((before) => ({ ...before, problem: null })), []);
  return { ...state, run, clear };
}
