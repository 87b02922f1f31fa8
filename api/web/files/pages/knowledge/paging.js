import { useCallback, useEffect, useRef, useState } from "../../core/html.js";

const EMPTY_PAGES_MAX = 10; // of a filter, that are passed over without asking

/**
 * A list of the API that is read page by page.
 * @param {(cursor: string, signal: AbortSignal) => Promise<{items: object[], next_cursor: string | null}>} load
 * @param {(item: object) => string} idOf
 * @param {unknown[]} deps begins anew when one of them changes
 * @returns {{items: object[] | null, hasMore: boolean, loading: boolean, problem: Error | null, more: () => void, renew: () => void}}
 *   `renew` reads the first page again and keeps what follows
 */
export function usePages(load, idOf, deps) {
  const [state, setState] = useState({ items: null, cursor: "", loading: true, problem: null });
  const stop = useRef(new AbortController());
  const latest = useRef(load);
  latest.current = load;
  const read = useCallback(async (cursor, merge) => {
    const { signal } = stop.current;
    setState((before) => ({ ...before, loading: true, problem: null }));
    try {
      let page = await latest.current(cursor, signal);
      for (let passed = 0; !page.items.length && page.next_cursor && passed < EMPTY_PAGES_MAX; passed++) page = await latest.current(page.next_cursor, signal);
      if (!signal.aborted) setState((before) => ({ loading: false, problem: null, ...merge(before, page) }));
    } catch (problem) {
      if (!signal.aborted) setState((before) => ({ ...before, loading: false, problem }));
    }
  }, []);
  const without = (items, others) => {
    const ids = new Set(others.map(idOf));
    return items.filter((item) => !ids.has(idOf(item)));
  };
  useEffect(() => {
    stop.current = new AbortController();
    setState({ items: null, cursor: "", loading: true, problem: null });
    read("", (_, page) => ({ items: page.items, cursor: page.next_cursor ?? "" }));
    return () => stop.current.abort();
  }, deps);
  const more = () => read(state.cursor, (before, page) => ({ items: [...(before.items ?? []), ...without(page.items, before.items ?? [])], cursor: page.next_cursor ?? "" }));
  const renew = useCallback(
    () => read("", (before, page) => {
      const rest = before.items && before.items.length > page.items.length ? without(before.items, page.items) : [];
      return { items: [...page.items, ...rest], cursor: rest.length ? before.cursor : (page.next_cursor ?? "") };
    }),
    [],
  );
  return { items: state.items, hasMore: Boolean(state.cursor), loading: state.loading, problem: state.problem, more, renew };
}
