// Lists that come by pages: the first at once, the others when somebody wants more.
import { html, useState } from "../../core/html.js";
import { call, query } from "../../core/http.js";
import { useResource } from "../../core/resource.js";
import { Button } from "../../components/button.js";
import { Loading } from "../../components/loading.js";
import { ProblemNote } from "../../components/problem_note.js";
import { t } from "./words.js";

const READ_AT_ONCE = 100; // the most that the API gives

/**
 * The items of a list of the API, page by page.
 * @param {string} path @param {Record<string, unknown>} filter parameters of the list; another filter begins anew
 * @returns {{items: any[], hasMore: boolean, loading: boolean, problem: Error | null, more: () => void, reload: () => void, change: (change: (items: any[]) => any[]) => void}}
 */
export function useListing(path, filter = {}, limit = 50) {
  const [busy, setBusy] = useState(false);
  const list = useResource((signal) => readPage(path, { ...filter, limit }, signal), [path, JSON.stringify(filter), limit]);
  const { items, next_cursor } = list.data ?? { items: [], next_cursor: null };
  const more = async () => {
    setBusy(true);
    try {
      const page = await readPage(path, { ...filter, limit, cursor: next_cursor });
      list.set({ items: [...items, ...page.items], next_cursor: page.next_cursor });
    } finally {
      setBusy(false);
    }
  };
  const change = (make) => list.data && list.set({ ...list.data, items: make(items) });
  return { items, hasMore: Boolean(next_cursor), loading: list.loading || busy, problem: list.problem, more, reload: list.reload, change };
}

/** A page with something in it, or the last one: lists that search may have empty pages between. */
async function readPage(path, parameters, signal) {
  for (let page = await call("GET", path + query(parameters), { signal }); ; page = await call("GET", path + query({ ...parameters, cursor: page.next_cursor }), { signal })) {
    if (page.items.length || !page.next_cursor) return page;
  }
}

/** Every item of a list that is known to be short. */
export async function readAll(path, signal, filter = {}) {
  const items = [];
  let cursor = "";
  do {
    const page = await call("GET", path + query({ ...filter, limit: READ_AT_ONCE, cursor }), { signal });
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor);
  return items;
}

/** What stands below a listing: that it is loading, what went wrong, that it is empty, or a button for more. */
export function ListingEnd({ listing, empty }) {
  if (listing.problem) return html`<${ProblemNote} problem=${listing.problem} retry=${listing.reload} />`;
  if (listing.loading && !listing.items.length) return html`<${Loading} />`;
  if (!listing.items.length) return html`<p class="empty">${empty}</p>`;
  return listing.hasMore && html`<div><${Button} busy=${listing.loading} onClick=${listing.more}>${t("more")}</${Button}></div>`;
}
