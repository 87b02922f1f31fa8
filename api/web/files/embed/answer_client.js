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
   * Read the answer, from where it was left; resolves after its last event. Rejects with ProblemError for a refusal, with AbortError when
   * `signal` is aborted, and with TypeError when the server cannot be reached for two minutes.
   *
   * @param {import("./transcript.js").Answer} answer whose `replyId` and `lastEventId` are kept up to date
   * @param {object} question the body of the request
   * @param {{onEvent: (event: StreamEvent) => void, onLost: () => void, signal: AbortSignal}} reader
   */
  async follow(answer, question, reader) {
    for (let failures = 0; ; failures += 1) {
      let wait = WAITS_MS[failures];
      try {
        const response = await this.#open(answer, question, reader.signal);
        for await (const event of response) {
          failures = -1;
          if (event.event === "accepted") answer.replyId = event.data.reply_id;
          if (event.id) answer.lastEventId = event.id;
          reader.onEvent(event);
          if (TERMINAL.has(event.event)) return;
        }
        wait = WAITS_MS[Math.max(0, failures)];
      } catch (error) {
        if (reader.signal.aborted) throw error;
        const problem = error instanceof ProblemError ? error.problem : null;
        const passes = problem ? problem.status === 503 || (problem.status === 429 && answer.replyId !== "") : true;
        if (!passes || wait === undefined) throw error;
        wait = Math.max(wait, 1_000 * (problem?.retry_after_s ?? 0));
      }
      if (wait === undefined) throw new TypeError("the answer does not come");
      reader.onLost();
      await pause(wait, reader.signal);
    }
  }

  /** Let the answer end where it is. Whether it did is said by its stream. */
  async cancel(answer) {
    await fetch(`${this.root}/${answer.replyId}/cancel`, { method: "POST", headers: this.#headers(), ...PLAIN });
  }

  async #open(answer, question, signal) {
    const silence = new AbortController();
    const both = AbortSignal.any([signal, silence.signal]);
    let timer = 0;
    const heard = () => {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(new TypeError("the server is silent")), SILENCE_MS_MAX);
    };
    heard();
    const events = this.#events(answer, question, both, heard);
    return (async function* () {
      try {
        yield* events;
      } finally {
        clearTimeout(timer);
      }
    })();
  }

  async *#events(answer, question, signal, heard) {
    const response = answer.replyId === "" ? await this.#ask(answer, question, signal) : await this.#resume(answer, signal);
    if (response.status === 204) { // nothing follows, and yet the end was not seen: read it from the beginning
      answer.lastEventId = "";
      return;
    }
    if (!response.ok) throw new ProblemError(await readProblem(response));
    yield* readEvents(response.body, heard);
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

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => (clearTimeout(timer), reject(signal.reason)), { once: true });
  });
}
