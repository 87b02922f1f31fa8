// What is on its way to the server: a few at a time, each on its own, and what failed stays until somebody closes it.
import { signal } from "../../core/html.js";
import { isPassing, pause } from "../../core/events.js";
import { newKey } from "../../core/http.js";

const PARALLEL = 3;
const ATTEMPTS_MAX = 4; // of one upload before it fails, when waiting may help
const WAIT_MS_MIN = 1000;
const WAIT_MS_MAX = 30000;

/**
 * @typedef {{documentId: string, name: string, bytes: number, file?: File, password?: string, url?: string, refusal?: string}} Source
 * @typedef {Source & {id: number, key: string, state: "waiting" | "sending" | "pausing" | "failed" | "refused", sent: number, problem: Error | null}} Upload
 */

export class UploadQueue {
  /**
   * @param {{transport: (upload: Upload, options: {signal: AbortSignal, onProgress: (sent: number) => void}) => Promise<any>,
   *   onAccepted?: (upload: Upload, accepted: any) => void, onIdle?: (ended: {accepted: number, failed: number}) => void,
   *   wait?: (ms: number, signal: AbortSignal) => Promise<void>, failed?: Upload[], onFailures?: (failed: Upload[]) => void}} ports
   *   `failed`: those of before the document was loaded, without their files; `onFailures` is told of all that failed whenever they change
   */
  constructor({ transport, onAccepted = () => {}, onIdle = () => {}, wait = pause, failed = [], onFailures = () => {} }) {
    Object.assign(this, { transport, onAccepted, onIdle, wait, onFailures });
    this.next = 1;
    /** Everything that was not accepted yet, in order. */
    this.uploads = signal(failed.map((upload) => ({ ...upload, id: this.next++, key: newKey(), state: "failed", sent: 0 })));
    this.stops = new Map();
    this.ended = { accepted: 0, failed: 0 };
  }

  /** Whether something is still to be sent. */
  get isBusy() {
    return this.uploads.value.some(isPending);
  }

  /** @param {Source[]} sources those with a `refusal` are listed, and never sent */
  add(sources) {
    const added = sources.map((source) => ({ ...source, id: this.next++, key: newKey(), state: source.refusal ? "refused" : "waiting", sent: 0, problem: null }));
    this.#set([...this.uploads.value, ...added]);
    this.#begin();
  }

  /**
   * Sends what failed once more, with the same key: what did arrive is not submitted twice.
   * @param {File} [file] for one that has lost its own
   */
  retry(id, file) {
    this.#change(id, { state: "waiting", problem: null, sent: 0, ...(file ? { file, bytes: file.size } : {}) });
    this.#begin();
  }

  /** Takes it off the list, and stops it when it is under way. */
  remove(id) {
    this.stops.get(id)?.abort();
    this.#set(this.uploads.value.filter((upload) => upload.id !== id));
  }

  /** Takes everything off the list that will not be sent by itself. */
  clear() {
    this.#set(this.uploads.value.filter(isPending));
  }

  #begin() {
    for (const upload of this.uploads.value) {
      if (this.stops.size >= PARALLEL) return;
      if (upload.state === "waiting" && !this.stops.has(upload.id)) this.#run(upload);
    }
  }

  async #run(upload) {
    const stop = new AbortController();
    this.stops.set(upload.id, stop);
    this.#change(upload.id, { state: "sending" });
    try {
      const accepted = await this.#send(upload, stop.signal);
      this.ended.accepted += 1;
      this.#set(this.uploads.value.filter((other) => other.id !== upload.id));
      this.onAccepted(upload, accepted);
    } catch (problem) {
      if (!stop.signal.aborted) {
        this.ended.failed += 1;
        this.#change(upload.id, { state: "failed", problem });
      }
    }
    this.stops.delete(upload.id);
    this.#begin();
    if (!this.isBusy) {
      const { ended } = this;
      this.ended = { accepted: 0, failed: 0 };
      if (ended.accepted + ended.failed) this.onIdle(ended);
    }
  }

  async #send(upload, signal) {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.transport(upload, { signal, onProgress: (sent) => this.#change(upload.id, { sent }) });
      } catch (problem) {
        if (signal.aborted || attempt === ATTEMPTS_MAX || !isPassing(problem)) throw problem;
        this.#change(upload.id, { state: "pausing", problem });
        const asked = (problem.retry_after_s ?? 0) * 1000;
        await this.wait(Math.min(Math.max(asked, WAIT_MS_MIN * 2 ** (attempt - 1)), WAIT_MS_MAX), signal);
        if (signal.aborted) throw problem;
        this.#change(upload.id, { state: "sending", problem: null, sent: 0 });
      }
    }
  }

  #change(id, values) {
    this.#set(this.uploads.value.map((upload) => (upload.id === id ? { ...upload, ...values } : upload)));
  }

  #set(uploads) {
    const failuresOf = (list) => list.filter(({ state }) => state === "failed");
    const [before, after] = [failuresOf(this.uploads.value), failuresOf(uploads)];
    this.uploads.value = uploads;
    if (before.length !== after.length || after.some((upload, at) => upload !== before[at])) this.onFailures(after);
  }
}

function isPending(upload) {
  return upload.state === "waiting" || upload.state === "sending" || upload.state === "pausing";
}
