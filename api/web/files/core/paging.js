// Lists of the API that are read page by page.
import { useCallback, useEffect, useRef, useState } from "./html.js";
import { call, query } from "./http.js";

const EMPTY_PAGES_MAX = 10; // of a filter, that are passed over without asking
const READ_AT_ONCE = 100; // the most that the API gives

/**
 * A list that is read page by page.
 * @param {(cursor: string, signal: AbortSignal) => Promise<{items: object[], next_cursor: string | null}>} load
 * @param {(item: object) => unknown} idOf
 * @param {unknown[]} deps begins anew when one of them changes
 * @param {{keep?: boolean}} [options] `keep`: what is shown stays until the new list is there
 * @returns {{items: object[] | null, hasMore: boolean, loading: boolean, problem: Error | null, more: () => void, reload: () => void,
 *   renew: () => void, change: (make: (items: object[]) => object[]) => void}} `reload` begins anew and keeps what is shown until then;
 *   `renew` reads the first page again and keeps what follows
 */
export function usePages(load, idOf, deps, { keep = false } = {}) {
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
  const reload = useCallback(() => {
    stop.current.abort(); // what is still read belongs to the list of before
    stop.current = new AbortController();
    read("", (_, page) => ({ items: page.items, cursor: page.next_cursor ?? "" }));
  }, []);
  useEffect(() => {
    if (!keep) setState({ items: null, cursor: "", loading: true, problem: null });
    reload();
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
  const change = useCallback((make) => setState((before) => (before.items ? { ...before, items: make(before.items) } : before)), []);
  return { items: state.items, hasMore: Boolean(state.cursor), loading: state.loading, problem: state.problem, more, reload, renew, change };
}

/** Every item of a list that is known to be short, or the first of them, at least `max`. */
export async function readAll(path, signal, parameters = {}, max = Infinity) {
  const items = [];
  let cursor = "";
  do {
    const page = await call("GET", path + query({ ...parameters, limit: READ_AT_ONCE, cursor }), { signal });
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor && items.length < max);
  return items;
}
