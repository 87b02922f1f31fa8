// An answer that is being written, made of the events of its stream.
import { batch, signal } from "../../core/html.js";

const SHOWN_MS = 40; // text is shown at most this often: faster is read by nobody

/**
 * The events may come from the beginning, after an interruption, or as a snapshot; whatever comes twice counts once.
 */
export class ReplyDraft {
  /** @param {{id: string, questionId: string, siblings?: string[], queue?: {position: number, estimated_wait_s: number | null} | null}} reply */
  constructor({ id, questionId, siblings = [], queue = null }) {
    this.id = id;
    this.questionId = questionId;
    this.siblings = siblings;
    this.text = signal("");
    this.thinking = signal("");
    this.citations = signal([]);
    this.passages = signal(null); // null until the search has ended
    this.queue = signal(queue);
    this.connection = signal("open"); // or "waiting": it is taken up again by itself
    this.isStopped = signal(false); // by the person: nothing more is shown, whatever still comes
    this.problem = signal(null); // its stream was refused
    this.written = { text: "", thinking: "", seq: 0, thinkingSeq: 0 };
    this.timer = null;
  }

  /**
   * Takes an event of the stream.
   * @param {{event: string, data: any}} event
   * @returns {object | null} what is left of the answer when this is its last event: fields of a message
   */
  take({ event, data }) {
    const written = this.written;
    switch (event) {
      case "queued":
        this.queue.value = data;
        break;
      case "retrieved":
        batch(() => {
          this.queue.value = null;
          this.passages.value = data.passages;
        });
        break;
      case "thinking":
        if (data.seq <= written.thinkingSeq) break;
        written.thinkingSeq = data.seq;
        written.thinking += data.text;
        this.showSoon();
        break;
      case "delta":
        if (data.seq <= written.seq) break;
        written.seq = data.seq;
        written.text += data.text;
        this.showSoon();
        break;
      case "citation":
        if (!this.citations.value.some((known) => isSame(known, data))) this.citations.value = [...this.citations.value, data];
        break;
      case "restart":
        this.written = { text: "", thinking: "", seq: 0, thinkingSeq: 0 };
        batch(() => {
          this.citations.value = [];
          this.show();
        });
        break;
      case "snapshot":
        this.written = { text: data.text, thinking: data.thinking || written.thinking, seq: data.seq, thinkingSeq: data.thinking ? Infinity : written.thinkingSeq };
        batch(() => {
          this.queue.value = null;
          this.passages.value = data.passages;
          this.citations.value = data.citations;
          this.show();
        });
        break;
      case "completed":
        return this.end({ ...data, content: data.text, state: "complete" });
      case "failed":
        return this.end({ content: written.text, citations: this.citations.value, state: "failed", problem: data });
      case "cancelled":
        return this.end({ content: data.text, citations: this.citations.value, state: "cancelled" });
    }
    return null;
  }

  /** Shows nothing more: the person has stopped it. */
  stop() {
    this.isStopped.value = true;
    clearTimeout(this.timer);
  }

  end({ text, ...rest }) {
    clearTimeout(this.timer);
    return { id: this.id, role: "assistant", parent_id: this.questionId, siblings: this.siblings, citations: [], unsupported_numbers: [], ...rest };
  }

  showSoon() {
    this.timer ??= setTimeout(() => this.show(), SHOWN_MS);
  }

  show() {
    clearTimeout(this.timer);
    this.timer = null;
    if (this.isStopped.value) return;
    batch(() => {
      this.queue.value = null;
      this.text.value = this.written.text;
      this.thinking.value = this.written.thinking;
    });
  }
}

function isSame(one, other) {
  return one.marker === other.marker && one.chunk_id === other.chunk_id && one.quote === other.quote;
}
