// Work that may wait, such as the colours of code: one piece in a task, so that many pieces that become due together hold up nobody.
const waiting = [];
let isRunning = false;

/**
 * Does `work` in a task of its own, after everything that waits already.
 * @template T
 * @param {() => T} work
 * @returns {Promise<T>} its result, or its error
 */
export function inTurn(work) {
  return new Promise((resolve, reject) => {
    waiting.push(() => {
      try {
        resolve(work());
      } catch (error) {
        reject(error);
      }
    });
    if (!isRunning) {
      isRunning = true;
      setTimeout(next);
    }
  });
}

function next() {
  waiting.shift()();
  isRunning = waiting.length > 0;
  if (isRunning) setTimeout(next);
}
