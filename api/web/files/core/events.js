// Server-sent events by fetch: with the session's cookie and headers, resumed after the last event wherever the connection ends.
import { EventParser } from "./event_parser.js";
import { Problem, send } from "./http.js";

const WAIT_MS_MIN = 250;
const WAIT_MS_MAX = 8000;
const SILENCE_MS_MAX = 25000; // the API sends a comment every 10 s
const HIDDEN_MS_MAX = 20000; // browsers have six connections to a host, for all tabs together: those that nobody looks at give theirs back

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
 * Follows a stream that has no end, as long as somebody looks at the page: a tab in the background lets go of it, and takes it up again, from
 * the last event, when it is shown. Takes what `followEvents` takes.
 */
export async function followWhileVisible(path, options) {
  let last = options.lastEventId || "";
  while (!options.signal.aborted) {
    const watch = new AbortController();
    const stop = () => watch.abort();
    options.signal.addEventListener("abort", stop);
    let timer;
    const change = () => {
      clearTimeout(timer);
      if (document.hidden) timer = setTimeout(stop, HIDDEN_MS_MAX);
    };
    document.addEventListener("visibilitychange", change);
    change();
    try {
      await followEvents(path, {
        ...options,
        signal: watch.signal,
        lastEventId: last,
        onEvent: (event) => {
          if (event.id) last = event.id;
          return options.onEvent(event);
        },
      });
      if (!watch.signal.aborted) return;
    } finally {
      clearTimeout(timer);
      options.signal.removeEventListener("abort", stop);
      document.removeEventListener("visibilitychange", change);
    }
    await untilVisible(options.signal);
  }
}

/**
 * Follows a stream without an end once per browser: one tab has the connection, and passes the events on to the others.
 * A tab gets what comes from now on; what was before, it asks for itself. Takes what `followEvents` takes.
 */
export async function followOncePerBrowser(path, options) {
  const { onEvent, signal } = options;
  const channel = new BroadcastChannel(`claw.events.${path}`);
  channel.addEventListener("message", (message) => onEvent(message.data));
  signal.addEventListener("abort", () => channel.close());
  const lead = () =>
    followEvents(path, {
      ...options,
      onEvent: (event) => {
        channel.postMessage(event);
        return onEvent(event);
      },
    });
  try {
    await (navigator.locks ? navigator.locks.request(`claw.events.${path}`, { signal }, lead) : lead());
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

function untilVisible(signal) {
  return new Promise((resolve) => {
    const look = () => {
      if (document.hidden && !signal.aborted) return;
      document.removeEventListener("visibilitychange", look);
      signal.removeEventListener("abort", look);
      resolve();
    };
    document.addEventListener("visibilitychange", look);
    signal.addEventListener("abort", look);
    look();
  });
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

