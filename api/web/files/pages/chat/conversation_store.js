// A conversation as a tab shows it: one branch of its messages, the answer that is being written, and what somebody does about them.
import { batch, computed, signal } from "../../core/html.js";
import { call, callTagged, newKey, query } from "../../core/http.js";
import { followEvents, isPassing, pause } from "../../core/events.js";
import { tellConversationChange } from "./conversations/changes.js";
import { ReplyDraft } from "./reply_draft.js";

const PAGE = 50;
const SETTLE_MS = 250; // between two looks for the record of an answer that has ended
const SETTLE_TRIES_MAX = 20;

export class ConversationStore {
  /** @param {string} id */
  constructor(id) {
    this.id = id;
    this.conversation = signal(null);
    this.messages = signal([]); // of the branch that is shown, the oldest first
    this.draft = signal(null); // the reply that is open
    this.older = signal(""); // where the page before begins, "" at the beginning of the branch
    this.isLoaded = signal(false);
    this.problem = signal(null);
    this.pending = signal(""); // a question that is on its way to the API
    this.isLoadingOlder = false;
    this.newest = ""; // the newest message of all branches that is known here
    this.isAtNewest = true; // the branch of the newest message is shown: news belong to it
    this.closing = new AbortController();
    this.thoughts = new Map(); // what the model thought, by the reply's id: no part of the record
    this.asked = { content: "", key: "" };
    /** What is shown: the messages, and the open reply where its question is the last of them. */
    this.entries = computed(() => {
      const messages = this.messages.value;
      const draft = this.draft.value;
      return draft && messages.at(-1)?.id === draft.questionId ? [...messages, draft] : messages;
    });
  }

  get path() {
    return `/conversations/${this.id}`;
  }

  /** Follows nothing more; the API goes on. */
  close() {
    this.closing.abort();
  }

  /** Reads the conversation, and the branch of `messageId` or of the newest message. */
  async load(messageId = "") {
    this.problem.value = null;
    try {
      const [conversation, activity] = await Promise.all([call("GET", this.path, this.options), call("GET", `${this.path}/activity`, this.options)]);
      this.conversation.value = conversation;
      this.newest = activity.newest_message_id;
      if (messageId || this.newest) await this.showBranch(messageId || activity.open_reply?.message_id || this.newest, { below: Boolean(messageId) });
      if (activity.open_reply) this.follow(activity.open_reply);
      this.isLoaded.value = true;
    } catch (problem) {
      if (!this.closing.signal.aborted) this.problem.value = problem;
    }
  }

  get options() {
    return { signal: this.closing.signal };
  }

  /** Shows the branch that ends with a message, or with `below` the newest one below it. */
  async showBranch(messageId, { below = false } = {}) {
    const page = await call("GET", `${this.path}/messages${query({ branch: messageId, below: below || "", limit: PAGE })}`, this.options);
    const items = page.items.reverse();
    this.isAtNewest = items.some((message) => message.id === this.newest);
    batch(() => {
      this.messages.value = items;
      this.older.value = page.next_cursor || "";
    });
  }

  /** Reads the page before, if there is one. */
  async loadOlder() {
    if (!this.older.value || this.isLoadingOlder || !this.messages.value.length) return;
    this.isLoadingOlder = true;
    try {
      const first = this.messages.value[0].id;
      const page = await call("GET", `${this.path}/messages${query({ branch: first, cursor: this.older.value, limit: PAGE })}`, this.options);
      if (this.messages.value[0]?.id !== first) return; // another branch is shown by now
      batch(() => {
        this.messages.value = [...page.items.reverse(), ...this.messages.value];
        this.older.value = page.next_cursor || "";
      });
    } finally {
      this.isLoadingOlder = false;
    }
  }

  /** Asks below what is shown; raises Problem, and then the same question again has the same key. */
  async ask(content) {
    if (this.asked.content !== content) this.asked = { content, key: newKey() };
    const tip = this.messages.value.at(-1);
    this.pending.value = content;
    try {
      const parent = tip?.role === "assistant" ? { parent_id: tip.id } : {};
      const accepted = await call("POST", `${this.path}/messages`, { body: { content, show_thinking: true, ...parent }, key: this.asked.key });
      this.asked = { content: "", key: "" };
      this.accept(accepted, this.messages.value);
    } catch (problem) {
      if (problem.code === "conversation_busy") this.check().catch(() => {});
      throw problem;
    } finally {
      this.pending.value = "";
    }
  }

  /** Asks a question otherwise, in a branch of its own. */
  async edit(question, content, key) {
    const accepted = await call("POST", `${this.path}/messages/${question.id}/edit`, { body: { content, show_thinking: true }, key });
    accepted.message.siblings = [...siblingsOf(question), accepted.message.id];
    this.accept(accepted, this.before(question));
  }

  /** Has a question answered once more, in a branch of its own. */
  async regenerate(answer, key) {
    const accepted = await call("POST", `${this.path}/replies/${answer.id}/regenerate`, { body: { show_thinking: true }, key });
    const above = this.before(answer);
    this.accept(accepted, above.slice(0, -1), above.at(-1), [...siblingsOf(answer), accepted.reply_id]);
  }

  accept(accepted, above, question = accepted.message, siblings = []) {
    this.isAtNewest = true;
    this.newest = question === accepted.message ? question.id : this.newest;
    const queue = accepted.queue_position ? { position: accepted.queue_position, estimated_wait_s: accepted.estimated_wait_s } : null;
    batch(() => {
      this.pending.value = "";
      this.messages.value = [...above, question];
      this.follow({ reply_id: accepted.reply_id, message_id: question.id }, { siblings, queue });
    });
    tellConversationChange("asked", this.id, accepted.reply_id);
  }

  before(message) {
    const at = this.messages.value.findIndex((each) => each.id === message.id);
    return this.messages.value.slice(0, at);
  }

  /** Follows an open reply to its end, over interruptions. */
  async follow({ reply_id: id, message_id: questionId }, more = {}) {
    if (this.draft.value?.id === id) return;
    const draft = new ReplyDraft({ id, questionId, ...more });
    this.draft.value = draft;
    let message = null;
    try {
      await followEvents(`${this.path}/replies/${id}/stream?thinking=true`, {
        signal: this.closing.signal,
        onState: (state) => {
          draft.connection.value = state;
        },
        onEvent: (event) => {
          message = draft.take(event);
          return message !== null;
        },
      });
    } catch (problem) {
      draft.problem.value = problem;
      message = draft.end({ content: draft.text.value, state: "failed", problem });
    }
    if (this.closing.signal.aborted || this.draft.value !== draft) return;
    this.finish(draft, message);
  }

  finish(draft, message) {
    if (draft.written.thinking) this.thoughts.set(draft.id, draft.written.thinking);
    batch(() => {
      this.draft.value = null;
      if (message && this.messages.value.at(-1)?.id === draft.questionId) this.messages.value = [...this.messages.value, message];
    });
    if (this.isAtNewest) this.newest = draft.id;
    this.onEnd?.(message);
    tellConversationChange("changed", this.id);
    this.settle(draft.id);
  }

  /** Reads the records of an answer that has ended and of its question: their siblings, tokens, and what else the stream does not say. */
  async settle(id) {
    for (let tries = 0; tries < SETTLE_TRIES_MAX && !this.closing.signal.aborted; tries++) {
      try {
        const { items } = await call("GET", `${this.path}/messages${query({ branch: id, limit: 2 })}`, this.options);
        const records = new Map(items.map((item) => [item.id, item]));
        const isShown = this.messages.value.some((message) => message.id === id);
        this.messages.value = this.messages.value.map((message) => records.get(message.id) ?? message);
        if (!isShown && this.messages.value.at(-1)?.id === items[0].parent_id && this.isAtNewest) this.messages.value = [...this.messages.value, items[0]];
        break;
      } catch (problem) {
        if (problem.status !== 404 && !isPassing(problem)) return;
      }
      await pause(SETTLE_MS * (1 + tries / 2), this.closing.signal);
    }
    await this.reload().catch(() => {}); // its title may be new; the next look finds out otherwise
  }

  /** Reads the conversation's own record again. */
  async reload() {
    this.conversation.value = await call("GET", this.path, this.options);
  }

  /** Looks for what was asked or changed elsewhere, and follows it. */
  async check() {
    if (!this.isLoaded.value) return;
    const activity = await call("GET", `${this.path}/activity`, this.options);
    if (activity.revision !== this.conversation.value?.revision) await this.reload();
    const isKnown = activity.newest_message_id === this.newest || this.messages.value.some((message) => message.id === activity.newest_message_id);
    const open = activity.open_reply;
    if (open && this.draft.value?.id !== open.reply_id && !this.pending.value) {
      this.newest = activity.newest_message_id;
      if (this.isAtNewest && this.messages.value.at(-1)?.id !== open.message_id) await this.showBranch(open.message_id);
      this.follow(open);
    } else if (!isKnown && !this.draft.value && !this.pending.value) {
      const follows = this.isAtNewest;
      this.newest = activity.newest_message_id;
      if (follows) await this.showBranch(this.newest);
    }
  }

  /** Stops the open reply: shown at once, and then in the record. */
  async stop() {
    const draft = this.draft.value;
    if (!draft || draft.isStopped.value) return;
    draft.stop();
    try {
      await call("POST", `${this.path}/replies/${draft.id}/cancel`, { key: newKey() });
    } catch (problem) {
      if (problem.code === "reply_finished") return;
      draft.isStopped.value = false;
      draft.show();
      throw problem;
    }
  }

  /** Rates an answer. @param {{rating: "up" | "down", comment?: string, tags?: string[]}} feedback */
  async rate(answer, feedback, key) {
    const given = await call("POST", `${this.path}/replies/${answer.id}/feedback`, { body: feedback, key });
    this.messages.value = this.messages.value.map((message) => (message.id === answer.id ? { ...message, feedback: given } : message));
  }

  /** Changes fields of the conversation; what others changed meanwhile stays. */
  async change(fields) {
    const { etag } = await callTagged("GET", this.path);
    this.conversation.value = await call("PATCH", this.path, { body: fields, ifMatch: etag });
    tellConversationChange("changed", this.id);
  }
}

/** The ids of the messages that stand in each other's place. */
export function siblingsOf(message) {
  return message.siblings?.length ? message.siblings : [message.id];
}

let handed = null;

/** A store that has a question already, for the page that is about to show it. */
export function handOver(store) {
  handed = store;
}

/** The store of a conversation, whether it was handed over; loaded otherwise. */
export function openStore(id, messageId) {
  if (handed?.id === id) {
    const store = handed;
    handed = null;
    return store;
  }
  const store = new ConversationStore(id);
  store.load(messageId);
  return store;
}
