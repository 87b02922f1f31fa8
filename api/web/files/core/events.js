// Server-sent events by fetch: with the session's cookie and headers, resumed after the last event wherever the connection ends.
import { EventParser } from "./event_parser.js";
import { Problem, send } from "./http.js";

const WAIT_MS_MIN = 250;
const WAIT_MS_MAX = 8000;
const SILENCE_MS_MAX = 25000; // the API sends a comment every 10 s

/**
 * Follows an event stream until `onEvent` returns true, the API says that it has ended (204), or `signal` aborts.
 * A connection that breaks or falls silent is taken up again after the last event: at once, then with growing waits, and as soon as the
 * browser is online again. Raises Problem for a refusal that waiting does not cure.
 * @param {string} path below /api/v1
 * @param {{onEvent: (event: {id: string, event: string, data: any}) => boolean | void, signal: AbortSignal, lastEventId?: string,
 *   onState?: (state: "open" | "waiting") => void}} options
 */
export async function followEvents(path, { onEvent, signal, lastEventId = "", onState = () => {} }) {
  let last = lastEventId;
  let wait = WAIT_MS_MIN;
  while (!signal.aborted) {
    try {
      const answer = await send("GET", path, {
        signal,
        headers: { Accept: "text/event-stream", ...(last ? { "Last-Event-ID": last } : {}) },
      });
      if (answer.status === 204) return;
      onState("open");
      const ended = await readEvents(answer, signal, (event) => {
        if (event.id) last = event.id;
        wait = WAIT_MS_MIN;
        return onEvent(event);
      });
      if (ended) return;
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Problem && !isPassing(error)) throw error;
      if (error.retry_after_s) wait = Math.max(wait, Math.min(error.retry_after_s * 1000, WAIT_MS_MAX));
    }
    if (signal.aborted) return;
    onState("waiting");
    await pause(wait * (0.75 + Math.random() / 2), signal);
    wait = Math.min(wait * 2, WAIT_MS_MAX);
  }
}

/**
 * Reads the events of a response that streams; true when `onEvent` returned true.
 * Raises when the connection breaks, or nothing comes for 25 s.
 */
export async function readEvents(answer, signal, onEvent) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  const parser = new EventParser();
  const stop = () => reader.cancel().catch(() => {});
  signal.addEventListener("abort", stop);
  try {
    for (;;) {
      const { done, value } = await withTimeout(reader.read());
      if (done) return false;
      for (const event of parser.feed(value)) {
        if (onEvent(event) === true) return true;
      }
    }
  } finally {
    signal.removeEventListener("abort", stop);
    stop();
  }
}

/** Whether the same request may succeed later: no network, an overloaded or restarting server. */
export function isPassing(problem) {
  return problem.code === "network" || problem.status === 429 || problem.status >= 500;
}

/** Resolves after a time, at once when the browser comes online or `signal` aborts. */
export function pause(ms, signal) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener("online", done);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    addEventListener("online", done);
    signal?.addEventListener("abort", done);
  });
}

function withTimeout(promise) {
  let timer;
  const silence = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("the stream fell silent")), SILENCE_MS_MAX);
  });
  return Promise.race([promise, silence]).finally(() => clearTimeout(timer));
}

