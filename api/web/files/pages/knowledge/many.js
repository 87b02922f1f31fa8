// The same thing for many documents, a few at a time.

const PARALLEL = 4;
const NAMES_SHOWN_MAX = 3; // of those that failed for one cause

/**
 * Runs `act` for every row; one that fails leaves the others alone. Stops between two rows when `signal` aborts.
 * @returns {Promise<{code: string, title: string, remedy: string, count: number, names: string[]}[]>} the failures by cause, the most frequent first
 */
export async function runMany(rows, act, onEnded, signal) {
  const waiting = [...rows];
  const causes = new Map();
  let ended = 0;
  const work = async () => {
    while (waiting.length && !signal?.aborted) {
      const row = waiting.shift();
      try {
        await act(row);
      } catch (problem) {
        const code = problem.code ?? problem.name;
        const cause = causes.get(code) ?? { code, title: problem.title || problem.message, remedy: problem.remedy ?? "", count: 0, names: [] };
        cause.count += 1;
        if (cause.names.length < NAMES_SHOWN_MAX) cause.names.push(row.title || row.document_id);
        causes.set(code, cause);
      }
      onEnded(++ended);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, work));
  return [...causes.values()].sort((one, other) => other.count - one.count);
}
