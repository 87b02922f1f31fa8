// The conversations of the account.
import { html } from "../../core/html.js";
import { call } from "../../core/http.js";
import { useResource } from "../../core/resource.js";

const channel = "BroadcastChannel" in window ? new BroadcastChannel("claw.conversations") : null;
const listeners = new Set();
channel?.addEventListener("message", (event) => listeners.forEach((listener) => listener(event.data)));

export function tellConversationChange(kind, id) {
  const change = { kind, id };
  for (const listener of listeners) listener(change);
  channel?.postMessage(change);
}

export function followConversationChanges(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function ConversationList({ currentId }) {
  const list = useResource((signal) => call("GET", "/conversations?limit=50", { signal }), [currentId]);
  return html`<aside class="conversations"><a class="button" href="/">+</a>${(list.data?.items ?? []).map((each) => html`<a key=${each.id} href=${`/chat/${each.id}`} aria-current=${each.id === currentId ? "page" : null}>${each.title || "…"}</a>`)}</aside>`;
}
