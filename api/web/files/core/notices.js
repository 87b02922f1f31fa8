// Notices of the account as they come: one stream for all tabs of the browser, and the number of those that were not read.
import { signal } from "./html.js";
import { followOncePerBrowser } from "./events.js";
import { call } from "./http.js";

const COUNT_WAIT_MS = 300; // several events are one question

/** How many notices were not read; null while it is not known. */
export const unreadCount = signal(null);

const listeners = new Set();

/** Keeps `unreadCount` and calls the listeners until `stop` aborts. @param {AbortSignal} stop */
export async function followNotices(stop) {
  let timer;
  const count = async () => {
    try {
      unreadCount.value = (await call("GET", "/notices/unread", { signal: stop })).unread;
    } catch {
      // the number stays as it was, or unknown: it is nothing that a page waits for
    }
  };
  stop.addEventListener("abort", () => clearTimeout(timer));
  const onEvent = ({ event, data }) => {
    if (event === "snapshot") unreadCount.value = data.unread;
    if (event !== "notice") return;
    for (const listener of listeners) listener(data);
    clearTimeout(timer);
    timer = setTimeout(count, COUNT_WAIT_MS);
  };
  count();
  await followOncePerBrowser("/notices/stream", { signal: stop, onEvent }).catch(() => {}); // refused: without live news
}

/** Calls `listener` with each notice that is created or read, until the returned function is called. @param {(notice: any) => void} listener */
export function listenToNotices(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
