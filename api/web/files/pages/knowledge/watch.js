// The progress of a knowledge base's documents, as the API tells of it while the page is open.
import { batch, signal, useEffect, useMemo } from "../../core/html.js";
import { followWhileVisible } from "../../core/events.js";
import { Problem } from "../../core/http.js";
import { StateCounts, isNewer } from "./documents.js";
import { baseUrl } from "./requests.js";

const QUIET_MS = 1500; // without news, before uncertain counts are asked for again

/** One stream: `live` has the newest progress by document, `counts` those by state, `problem` why nothing is heard any more. */
export class ProgressWatch {
  constructor(baseId) {
    this.baseId = baseId;
    this.live = signal(new Map());
    this.counts = signal({ documents: 0, counts: {}, isKnown: false });
    this.isOpen = signal(false);
    this.snapshots = signal(0); // after each, lists are read again: what ended before it was never told
    this.problem = signal(null);
    this.folded = new StateCounts();
  }

  /** Begins to follow; what follows is stopped by `stop`. */
  start() {
    const stop = new AbortController();
    this.stop = () => {
      stop.abort();
      clearTimeout(this.timer);
    };
    this.problem.value = null;
    followWhileVisible(`${baseUrl(this.baseId)}/events`, {
      signal: stop.signal,
      onState: (state) => {
        this.isOpen.value = state === "open";
      },
      onEvent: (event) => this.#take(event),
    }).catch((problem) => {
      this.problem.value = problem;
    });
  }

  /** Rows of a list that was read. */
  know(rows) {
    this.folded.know(rows);
  }

  #take({ event, data }) {
    batch(() => {
      if (event === "failed") {
        this.problem.value = new Problem(data);
      } else if (event === "snapshot") {
        this.folded.take(data);
        this.#show(data.open);
        this.snapshots.value += 1;
      } else if (event === "progress") {
        this.folded.add(data);
        this.#show([data]);
      }
    });
    clearTimeout(this.timer);
    if (this.folded.isUncertain) this.timer = setTimeout(() => (this.stop(), this.start()), QUIET_MS);
    return event === "failed";
  }

  #show(news) {
    const live = new Map(this.live.value);
    for (const progress of news) {
      const before = live.get(progress.document_id);
      if (before && !isNewer(progress, before)) continue;
      if (!before || before.version !== progress.version) live.delete(progress.document_id); // the latest last
      live.set(progress.document_id, progress);
    }
    this.live.value = live;
    const { documents, counts, isKnown } = this.folded;
    this.counts.value = { documents, counts, isKnown };
  }
}

/** The watch of a knowledge base while the component is shown. */
export function useWatch(baseId) {
  const watch = useMemo(() => new ProgressWatch(baseId), [baseId]);
  useEffect(() => {
    watch.start();
    return () => watch.stop();
  }, [watch]);
  return watch;
}
