// Asks, and reads an answer to its end: through lost connections exactly after the last event, and with the same `Idempotency-Key` when the
// connection was lost before the first one.

import { EventParser } from "../core/event_parser.js";

const SILENCE_MS_MAX = 30_000; // the server sends a heartbeat every 10 s
const WAITS_MS = [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000, 30_000, 30_000]; // two minutes, then a person decides
const TERMINAL = new Set(["completed", "failed", "cancelled"]);

/** @typedef {{id: string, event: string, data: any}} StreamEvent */

/** A refusal of the server: what is wrong, and how long to wait. */
export class ProblemError extends Error {
  /** @param {{code: string, status: number, title?: string, title_zh?: string, retry_after_s?: number, errors?: any[]}} problem */
  constructor(problem) {
    super(problem.code);
    this.problem = problem;
  }
}

export class AnswerClient {
  /**
   * @param {string} baseUrl of the API, without a slash at its end
   * @param {string} key of the widget
   */
  constructor(baseUrl, key) {
    this.root = `${baseUrl}/api/v1/widget/questions`;
    this.key = key;
  }

  /**
   * Read the answer, from where it was left; resolves after its last event. Rejects with ProblemError for a refusal, with the reason of
   * `signal` when that is aborted, and with TypeError when the server cannot be reached for two minutes.
   *
   * @param {import("./transcript.js").Answer} answer whose `replyId` and `lastEventId` are kept up to date
   * @param {object} question the body of the request
   * @param {{onEvent: (event: StreamEvent) => void, onLost: () => void, signal: AbortSignal}} reader
   */
  async follow(answer, question, reader) {
    let failures = 0;
    for (;;) {
      let cause = new TypeError("the answer does not come");
      try {
        for await (const event of this.#events(answer, question, reader.signal)) {
          failures = 0;
          if (event.event === "accepted") answer.replyId = event.data.reply_id;
          if (event.id) answer.lastEventId = event.id;
          reader.onEvent(event);
          if (TERMINAL.has(event.event)) return;
        }
      } catch (error) {
        if (reader.signal.aborted || !isPassing(error, answer)) throw error;
        cause = error;
      }
      if (failures === WAITS_MS.length) throw cause;
      reader.onLost();
      await pause(Math.max(WAITS_MS[failures], 1_000 * (cause.problem?.retry_after_s ?? 0)), reader.signal);
      failures += 1;
    }
  }

  /** Let the answer end where it is. Whether it did is said by its stream. */
  async cancel(answer) {
    await fetch(`${this.root}/${answer.replyId}/cancel`, { method: "POST", headers: this.#headers(), ...PLAIN });
  }

  /** What one connection brings. It ends when the server has been silent for too long. */
  async *#events(answer, question, signal) {
    const connection = new AbortController();
    const leave = () => connection.abort(signal.reason);
    signal.addEventListener("abort", leave);
    let timer = 0;
    const heard = () => {
      clearTimeout(timer);
      timer = setTimeout(() => connection.abort(new TypeError("the server is silent")), SILENCE_MS_MAX);
    };
    heard();
    try {
      const begin = answer.replyId === "" ? this.#ask(answer, question, connection.signal) : this.#resume(answer, connection.signal);
      const response = await begin;
      if (response.status === 204) answer.lastEventId = ""; // nothing follows, and yet the end was not seen: read it from the beginning
      else if (response.ok) yield* readEvents(response.body, heard);
      else throw new ProblemError(await readProblem(response));
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", leave);
    }
  }

  #ask(answer, question, signal) {
    const headers = this.#headers({ "Content-Type": "application/json", "Idempotency-Key": answer.requestId });
    return fetch(this.root, { method: "POST", headers, body: JSON.stringify(question), signal, ...PLAIN });
  }

  #resume(answer, signal) {
    const headers = this.#headers(answer.lastEventId ? { "Last-Event-ID": answer.lastEventId } : {});
    return fetch(`${this.root}/${answer.replyId}/stream`, { headers, signal, ...PLAIN });
  }

  #headers(more = {}) {
    return { Authorization: `Bearer ${this.key}`, ...more };
  }
}

const PLAIN = { mode: "cors", credentials: "omit", cache: "no-store", redirect: "error", referrerPolicy: "no-referrer" };

/** The events of a response's body, to its end; `heard` is called whenever bytes have come. One that was cut off comes again. */
async function* readEvents(body, heard) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  const parser = new EventParser();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      heard();
      yield* parser.feed(value);
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

async function readProblem(response) {
  const unknown = { code: "", status: response.status, retry_after_s: Number(response.headers.get("Retry-After")) || 0 };
  try {
    return { ...unknown, ...(await response.json()), status: response.status };
  } catch {
    return unknown;
  }
}

/** Whether the same request may succeed later. How often one may ask is the visitor's to know; how often one may read on is not. */
function isPassing(error, answer) {
  if (!(error instanceof ProblemError)) return true;
  return error.problem.status === 503 || (error.problem.status === 429 && answer.replyId !== "");
}

/** Resolves after a time, or as soon as the browser is online again; rejects when `signal` is aborted. */
function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      removeEventListener("online", end);
      signal.removeEventListener("abort", end);
      if (signal.aborted) reject(signal.reason);
      else resolve();
    };
    const timer = setTimeout(end, milliseconds);
    addEventListener("online", end);
    signal.addEventListener("abort", end);
  });
}
