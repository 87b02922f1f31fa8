// A list of the API in a page: its items, and what stands below them.
import { html, useCallback } from "../core/html.js";
import { call, query } from "../core/http.js";
import { usePages } from "../core/paging.js";
import { Button } from "./button.js";
import { Loading } from "./loading.js";
import { ProblemNote } from "./problem_note.js";
import { t } from "./words.js";

/**
 * The items of a list of the API, page by page.
 * @param {string} path such as "/api-keys"
 * @param {Record<string, unknown>} [parameters] of the query; the list begins anew when they change
 * @returns {{items: any[], hasMore: boolean, loading: boolean, problem: Error | null, more: () => void, reload: () => void,
 *   change: (make: (items: any[]) => any[]) => void, put: (item: any) => void, remove: (id: string) => void}}
 *   `put` replaces an item, or adds it on top
 */
export function useListing(path, parameters = {}, limit = 50) {
  const pages = usePages(
    (cursor, signal) => call("GET", path + query({ ...parameters, limit, cursor }), { signal }),
    (item) => item.id ?? item,
    [path, JSON.stringify(parameters), limit],
    { keep: true },
  );
  const { change } = pages;
  const put = useCallback((item) => change((items) => (items.some((known) => known.id === item.id) ? items.map((known) => (known.id === item.id ? item : known)) : [item, ...items])), []);
  const remove = useCallback((id) => change((items) => items.filter((item) => item.id !== id)), []);
  return { ...pages, items: pages.items ?? [], put, remove };
}

/** What stands below a listing: that it is loading, what went wrong, that it is empty, or a button for more. @param {{listing: ReturnType<typeof useListing>, empty: string}} props */
export function ListingEnd({ listing, empty }) {
  if (listing.problem) return html`<${ProblemNote} problem=${listing.problem} retry=${listing.items.length && listing.hasMore ? listing.more : listing.reload} />`;
  if (listing.loading && !listing.items.length) return html`<${Loading} />`;
  if (listing.hasMore) return html`<div><${Button} busy=${listing.loading} onClick=${listing.more}>${t("more")}</${Button}></div>`;
  return listing.items.length === 0 && html`<p class="empty">${empty}</p>`;
}
