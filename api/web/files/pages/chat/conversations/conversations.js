// The conversations of one list: pages by cursor, and what happens to them meanwhile.
import { useCallback, useEffect, useRef, useState } from "../../../core/html.js";
import { call, query } from "../../../core/http.js";
import { followConversationChanges } from "./changes.js";

const PAGE = 30;
const EMPTY_PAGES_MAX = 5; // of a search that finds nothing, each of 1,000 conversations; then a person decides whether to go on
const PINNED_PAGES_MAX = 5;
const LOOK_AGAIN_MS = 20_000; // another device may have asked something
const TITLE_WAITS_MS = [1500, 4000, 10_000, 25_000]; // a title follows the first answer

const NOTHING = { items: [], cursor: "", isEnd: false, loading: true, problem: null };

/**
 * The conversations of a filter, the last active first as far as they are loaded.
 * @param {{status?: string, q?: string}} filter
 * @returns {{items: any[], isEnd: boolean, loading: boolean, problem: Error | null, loadMore: () => void, put: (conversation: any) => void, remove: (id: string) => void}}
 */
export function useConversations({ status = "", q = "" }) {
  const [state, setState] = useState(NOTHING);
  const filter = `${status} ${q}`;
  const present = useRef({ filter, stop: new AbortController(), loading: false });
  const latest = useRef(state);
  latest.current = state;

  const put = useCallback((conversation) => {
    const belongs = (!status || conversation.status === status) && !q;
    setState((before) => {
      const others = before.items.filter((item) => item.id !== conversation.id);
      if (belongs || (q && others.length < before.items.length)) return { ...before, items: [...others, conversation] };
      return { ...before, items: others };
    });
  }, [filter]);
  const remove = useCallback((id) => setState((before) => ({ ...before, items: before.items.filter((item) => item.id !== id) })), []);

  const load = useCallback(async (cursor) => {
    const mine = present.current;
    if (mine.loading) return;
    mine.loading = true;
    setState((before) => ({ ...before, loading: true, problem: null }));
    try {
      let page = null;
      let next = cursor;
      for (let empty = 0; empty < EMPTY_PAGES_MAX; empty++) {
        page = await call("GET", `/conversations${query({ limit: PAGE, cursor: next, status, q })}`, { signal: mine.stop.signal });
        next = page.next_cursor || "";
        if (page.items.length || !next) break;
      }
      if (mine.stop.signal.aborted) return;
      setState((before) => ({ items: merge(before.items, page.items), cursor: next, isEnd: !next, loading: false, problem: null }));
    } catch (problem) {
      if (!mine.stop.signal.aborted) setState((before) => ({ ...before, loading: false, problem }));
    } finally {
      mine.loading = false;
    }
  }, [filter]);

  useEffect(() => {
    const mine = { filter, stop: new AbortController(), loading: false };
    present.current = mine;
    setState(NOTHING);
    load("");
    if (status === "active" && !q) loadPinned(mine.stop.signal).then((items) => items.forEach(put), () => {});
    return () => mine.stop.abort();
  }, [filter]);

  useFollowedChanges(put, remove);
  useEffect(() => {
    let looked = Date.now();
    const look = async () => {
      if (document.hidden || q || Date.now() - looked < LOOK_AGAIN_MS) return;
      looked = Date.now();
      const page = await call("GET", `/conversations${query({ limit: PAGE, status })}`).catch(() => null); // it is shown as it was
      if (page && present.current.filter === filter) setState((before) => ({ ...before, items: merge(before.items, page.items) }));
    };
    document.addEventListener("visibilitychange", look);
    addEventListener("focus", look);
    return () => {
      document.removeEventListener("visibilitychange", look);
      removeEventListener("focus", look);
    };
  }, [filter]);
  const loadMore = useCallback(() => latest.current.isEnd || load(latest.current.cursor), [filter]);
  return { ...state, loadMore, put, remove };
}

/** Reads every conversation that something happens to again, and once more while its title may still come. */
function useFollowedChanges(put, remove) {
  const handlers = useRef({ put, remove });
  handlers.current = { put, remove };
  useEffect(() => {
    const timers = new Map(); // id: the timer of its next look
    const read = async (id, waits) => {
      clearTimeout(timers.get(id));
      timers.delete(id);
      try {
        const conversation = await call("GET", `/conversations/${id}`);
        handlers.current.put(conversation);
        const mayBeTitled = ["", "rule"].includes(conversation.titled_by);
        if (mayBeTitled && waits.length) timers.set(id, setTimeout(() => read(id, waits.slice(1)), waits[0]));
      } catch (problem) {
        if (problem.status === 404) handlers.current.remove(id);
      }
    };
    const end = followConversationChanges(({ kind, id }) => {
      if (kind === "deleted") handlers.current.remove(id);
      else read(id, kind === "changed" ? [] : TITLE_WAITS_MS);
    });
    return () => {
      end();
      timers.forEach(clearTimeout);
    };
  }, []);
}

/** Those that are pinned, which may be older than what the first page has. */
async function loadPinned(signal) {
  const items = [];
  let cursor = "";
  for (let page = 0; page < PINNED_PAGES_MAX; page++) {
    const found = await call("GET", `/conversations${query({ limit: 100, pinned: true, status: "active", cursor })}`, { signal });
    items.push(...found.items);
    cursor = found.next_cursor || "";
    if (!cursor) break;
  }
  return items;
}

/** Both, each once, the newer state of what is in both. */
function merge(items, more) {
  const byId = new Map(items.map((item) => [item.id, item]));
  for (const item of more) {
    const known = byId.get(item.id);
    if (!known || known.revision <= item.revision) byId.set(item.id, item);
  }
  return [...byId.values()];
}
