// The states of documents: rows of lists, and the progress that arrives between them.

export const OPEN_STATES = ["queued", "parsing", "embedding"];
export const STATES = [...OPEN_STATES, "indexed", "unchanged", "failed"];

/** Whether work on the version goes on. */
export function isOpen(state) {
  return OPEN_STATES.includes(state);
}

/** Whether `next` says more than `present`: of a later version, or of the same one unless that has ended and `next` has not. */
export function isNewer(next, present) {
  return next.version !== present.version ? next.version > present.version : isOpen(present.state) || !isOpen(next.state);
}

/** A row of a list with the newest progress of its document. */
export function withProgress(row, progress) {
  if (!progress || !isNewer(progress, row)) return row;
  const visible = progress.state === "indexed" ? progress.version : row.visible_version;
  return { ...row, ...progress, title: progress.title || row.title, visible_version: visible };
}

/**
 * The rows to show: documents that only the stream has told of first, then those of the list, each as it is now; without the deleted ones
 * and those in another state than `state` ("" for all).
 * @param {object[]} listed @param {Map<string, object>} live by document id, the latest last @param {string} state
 */
export function rowsOf(listed, live, state = "") {
  const known = new Set(listed.map((row) => row.document_id));
  const unlisted = [...live.values()].filter((progress) => !known.has(progress.document_id)).reverse();
  const fresh = unlisted.map((progress) => ({ media_type: "", bytes: 0, task_id: "", visible_version: progress.state === "indexed" ? progress.version : null, ...progress }));
  const rows = [...fresh, ...listed.map((row) => withProgress(row, live.get(row.document_id)))];
  return rows.filter((row) => row.state !== "deleted" && (!state || row.state === state));
}

/**
 * How many documents are in which state, from a snapshot on. After a change of a document that the counts do not know, or know from a list
 * only, they are uncertain until the next snapshot: a list may be older than the counts.
 */
export class StateCounts {
  constructor() {
    this.take({ documents: 0, counts: {}, open: [] });
    this.isKnown = false;
  }

  /** A snapshot of the stream. */
  take({ documents, counts, open }) {
    Object.assign(this, { documents, counts: { ...counts }, isKnown: true, isUncertain: false });
    this.states = new Map(open.map((progress) => [progress.document_id, progress]));
  }

  /** Rows of a list, whose states the counts include, as far as anybody knows. */
  know(rows) {
    for (const row of rows) if (!this.states.has(row.document_id)) this.states.set(row.document_id, { ...row, isListed: true });
  }

  /** One step of a document. */
  add(progress) {
    const before = this.states.get(progress.document_id);
    if (before && !isNewer(progress, before)) return;
    this.states.set(progress.document_id, progress);
    if (!before || before.isListed) this.isUncertain = true;
    if (before && before.state !== "deleted") this.#move(before.state, -1);
    if (progress.state !== "deleted" && (before || isOpen(progress.state))) this.#move(progress.state, 1);
  }

  #move(state, by) {
    this.counts = { ...this.counts, [state]: Math.max(0, (this.counts[state] ?? 0) + by) };
    this.documents = Math.max(0, this.documents + by);
  }
}
