// The conversation as this tab keeps it: in memory, and in `sessionStorage` so that it is still there after a refresh. The server keeps none.

const TURNS_MAX = 40;
const STORED_CHARS_MAX = 400_000;
const HISTORY_TURNS_MAX = 20; // the server's limits
const HISTORY_CHARS_MAX = 8_000;

/**
 * @typedef {{marker: number, title: string, locator: string, quote: string}} Citation
 * @typedef {"open" | "complete" | "failed" | "cancelled"} AnswerState
 * @typedef {{question: string, requestId: string, replyId: string, lastEventId: string, text: string, citations: Citation[],
 *   state: AnswerState, problem: object | null, passages: number, queued: number}} Answer a question with its answer, as far as it is known
 */

/** @param {string} question @returns {Answer} */
export function newAnswer(question) {
  return {
    question, requestId: randomId(), replyId: "", lastEventId: "", text: "", citations: [],
    state: "open", problem: null, passages: 0, queued: 0,
  };
}

/**
 * The answer after an event of its stream: changed in place.
 *
 * @param {Answer} answer
 * @param {import("./answer_client.js").StreamEvent} event
 */
export function applyEvent(answer, { event, data }) {
  switch (event) {
    case "queued": answer.queued = data.position; break;
    case "retrieved": answer.passages = data.passages; answer.queued = 0; break;
    case "delta": answer.text += data.text; break;
    case "citation": answer.citations.push(data); break;
    case "restart": answer.text = ""; answer.citations = []; break;
    case "snapshot": answer.text = data.text; answer.citations = data.citations; break;
    case "completed": answer.text = data.text; answer.citations = data.citations; answer.state = "complete"; break;
    case "cancelled": answer.text = data.text; answer.state = "cancelled"; break;
    case "failed": answer.problem = data; answer.state = "failed"; break;
  }
}

/**
 * What the next question continues: the newest turns that were answered, within the server's limits, the oldest first.
 *
 * @param {Answer[]} answers those before it
 */
export function historyOf(answers) {
  const turns = answers.filter((each) => each.text !== "" && each.state !== "failed").flatMap((each) => [
    { role: "user", content: each.question.slice(0, HISTORY_CHARS_MAX) },
    { role: "assistant", content: each.text.slice(0, HISTORY_CHARS_MAX) },
  ]);
  return turns.slice(-HISTORY_TURNS_MAX);
}

export class Transcript {
  /**
   * @param {string} name which tells the widgets of a page apart
   * @param {Storage | null} storage null where the browser allows none
   */
  constructor(name, storage) {
    this.name = `claw-chat:${name}`;
    this.storage = storage;
    /** @type {Answer[]} */
    this.answers = this.#load();
  }

  /** @param {Answer} answer */
  add(answer) {
    this.answers.push(answer);
    this.answers.splice(0, this.answers.length - TURNS_MAX);
    this.save();
  }

  clear() {
    this.answers = [];
    this.save();
  }

  /** Keep it, the oldest turns less where there is no room for all. */
  save() {
    const kept = [...this.answers];
    try {
      let text = JSON.stringify(kept);
      while (text.length > STORED_CHARS_MAX && kept.length > 1) {
        kept.shift();
        text = JSON.stringify(kept);
      }
      this.storage?.setItem(this.name, text);
    } catch {
      this.storage = null; // full or forbidden: it lasts as long as the page
    }
  }

  #load() {
    try {
      const found = JSON.parse(this.storage?.getItem(this.name) ?? "[]");
      return Array.isArray(found) ? found.filter(isAnswer).slice(-TURNS_MAX) : [];
    } catch {
      return [];
    }
  }
}

/** 128 random bits; `crypto.randomUUID` is not there without TLS. */
function randomId() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The storage of this tab; null where the browser forbids it, such as in a sandboxed frame. */
export function tabStorage() {
  try {
    return window.sessionStorage;
  } catch {
    return null;
  }
}

function isAnswer(value) {
  const model = newAnswer("");
  return value !== null && typeof value === "object" && Array.isArray(value.citations)
    && Object.entries(model).every(([name, given]) => given === null || typeof value[name] === typeof given);
}
