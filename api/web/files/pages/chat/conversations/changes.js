// News of conversations between the parts of the page and between tabs: whoever changes one tells, whoever shows some listens. What happens
// on other devices is learnt from the tasks of the account: every answer is one.
import { followOncePerBrowser } from "../../../core/events.js";

const OWN_MAX = 200; // answers that this browser asked for, the newest
const ENDED = ["SUCCESS", "FAILURE", "CANCELLED"];

const listeners = new Set();
const own = new Set();
// other tabs get ids alone: each reads what it may with its own session
const channel = "BroadcastChannel" in window ? new BroadcastChannel("claw.conversations") : null;

channel?.addEventListener("message", (event) => pass(event.data));

/**
 * Tells that something happened to a conversation: "asked" (a question moves it to the top), "changed", "created" or "deleted".
 * @param {"asked" | "changed" | "created" | "deleted"} kind
 * @param {string} id
 * @param {string} [replyId] of the answer that was asked for
 */
export function tellConversationChange(kind, id, replyId = "") {
  const change = { kind, id, replyId };
  pass(change);
  channel?.postMessage(change);
}

/** Calls `listener` with every change until the returned function is called. @param {(change: {kind: string, id: string}) => void} listener */
export function followConversationChanges(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Passes on what the account asks on other devices, until `signal` aborts. @param {string} account its id @param {AbortSignal} signal */
export async function followOtherDevices(account, signal) {
  const onEvent = ({ event, data }) => {
    if (event === "failed") return true;
    for (const task of event === "snapshot" ? data.open : event === "task" ? [data] : []) {
      if (task.kind !== "generate_ai_response" || own.has(task.id)) continue;
      pass({ kind: ENDED.includes(task.state) ? "changed" : "asked", id: task.subject.conversation_id, replyId: "" });
    }
    return false;
  };
  await followOncePerBrowser(`/tasks/stream?account=${account}`, { signal, onEvent }).catch(() => {}); // refused: a look now and then tells
}

function pass(change) {
  if (change.replyId) own.add(change.replyId);
  if (own.size > OWN_MAX) own.delete(own.values().next().value);
  for (const listener of listeners) listener(change);
}
