// Lists of the API in a component: pages by cursor, and what a person changes meanwhile.
import { html, useCallback, useEffect, useRef, useState } from "../../core/html.js";
import { call, query } from "../../core/http.js";
import { Button } from "../../components/button.js";
import { Loading } from "../../components/loading.js";
import { ProblemNote } from "../../components/problem_note.js";
import { t as common } from "../../components/words.js";

const PAGE = 20;

/**
 * A list that pages by cursor.
 * @param {string} path such as "/api-keys"
 * @param {Record<string, unknown>} [params] of the query; loaded anew when they change
 * @returns {{items: any[], isEnd: boolean, loading: boolean, problem: Error | null, loadMore: () => void, reload: () => void,
 *   put: (item: any) => void, remove: (id: string) => void, update: (change: (item: any) => any) => void}} `put` replaces an item, or adds it
 *   on top; `update` replaces every item by what `change` makes of it
 */
export function useListing(path, params = {}) {
  const [state, setState] = useState({ items: [], cursor: "", isEnd: false, loading: true, problem: null });
  const [turn, setTurn] = useState(0);
  const present = useRef(null);
  const filter = `${path}${query(params)}`;
  const load = async (mine, cursor) => {
    setState((before) => ({ ...before, loading: true, problem: null }));
    try {
      const page = await call("GET", `${path}${query({ ...params, limit: PAGE, cursor })}`, { signal: mine.signal });
      if (mine.signal.aborted) return;
      setState((before) => ({
        items: cursor ? [...before.items, ...page.items.filter((item) => !before.items.some((known) => known.id === item.id))] : page.items,
        cursor: page.next_cursor || "",
        isEnd: !page.next_cursor,
        loading: false,
        problem: null,
      }));
    } catch (problem) {
      if (!mine.signal.aborted) setState((before) => ({ ...before, loading: false, problem }));
    }
  };
  useEffect(() => {
    const mine = new AbortController();
    present.current = mine;
    load(mine, "");
    return () => mine.abort();
  }, [filter, turn]);
  const loadMore = () => state.loading || load(present.current, state.cursor);
  const reload = useCallback(() => setTurn((before) => before + 1), []);
  const change = useCallback((items) => setState((before) => ({ ...before, items: items(before.items) })), []);
  const put = useCallback((item) => change((items) => (items.some((known) => known.id === item.id) ? items.map((known) => (known.id === item.id ? item : known)) : [item, ...items])), []);
  const remove = useCallback((id) => change((items) => items.filter((item) => item.id !== id)), []);
  const update = useCallback((each) => change((items) => items.map(each)), []);
  return { ...state, loadMore, reload, put, remove, update };
}

/** What stands below the items of a listing: its state, and the way to more. @param {{listing: ReturnType<typeof useListing>, empty: string}} props */
export function ListingEnd({ listing, empty }) {
  if (listing.problem) return html`<${ProblemNote} problem=${listing.problem} retry=${listing.items.length ? listing.loadMore : listing.reload} />`;
  if (listing.loading) return html`<${Loading} />`;
  if (!listing.isEnd) return html`<div><${Button} onClick=${listing.loadMore}>${common("more")}</${Button}></div>`;
  return listing.items.length === 0 && html`<p class="empty">${empty}</p>`;
}
