// News of conversations between the parts of the page and between tabs: whoever changes one tells, whoever shows some listens.
const listeners = new Set();
// other tabs get ids alone: each reads what it may with its own session
const channel = "BroadcastChannel" in window ? new BroadcastChannel("claw.conversations") : null;

channel?.addEventListener("message", (event) => {
  for (const listener of listeners) listener(event.data);
});

/**
 * Tells that something happened to a conversation: "asked" (a question moves it to the top), "changed", "created" or "deleted".
 * @param {"asked" | "changed" | "created" | "deleted"} kind
 * @param {string} id
 */
export function tellConversationChange(kind, id) {
  const change = { kind, id };
  for (const listener of listeners) listener(change);
  channel?.postMessage(change);
}

/** Calls `listener` with every change until the returned function is called. @param {(change: {kind: string, id: string}) => void} listener */
export function followConversationChanges(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
