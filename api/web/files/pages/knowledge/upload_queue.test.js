import { Problem } from "../../core/http.js";
import { UploadQueue } from "./upload_queue.js";
import { assert, equal, test, until } from "/testing.js";

// A transport whose requests the test answers.
function makeQueue(options = {}) {
  const requests = [];
  const accepted = [];
  const idle = [];
  const waits = [];
  const queue = new UploadQueue({
    transport: (upload, { signal, onProgress }) =>
      new Promise((accept, fail) => {
        requests.push({ name: upload.name, key: upload.key, accept, fail, onProgress });
        signal.addEventListener("abort", () => fail(new DOMException("stopped", "AbortError")));
      }),
    onAccepted: (upload) => accepted.push(upload.name),
    onIdle: (ended) => idle.push(ended),
    wait: async (ms) => void waits.push(ms),
    ...options,
  });
  return { queue, requests, accepted, idle, waits, states: () => queue.uploads.value.map(({ name, state }) => `${name} ${state}`) };
}
const named = (...names) => names.map((name) => ({ name, documentId: name, bytes: 10 }));
const refusal = new Problem({ code: "document_too_large", status: 413 });
const outage = new Problem({ code: "overloaded", status: 503, retry_after_s: 5 });

test("three are sent at a time, the next when one ends, and their bytes are counted", async () => {
  const { queue, requests, accepted, idle } = makeQueue();
  queue.add(named("a", "b", "c", "d", "e"));
  equal(requests.map(({ name }) => name), ["a", "b", "c"]);
  requests[1].onProgress(7);
  equal(queue.uploads.value[1].sent, 7);
  requests[1].accept({});
  await until(() => requests.length === 4);
  for (const request of requests) request.accept({});
  await until(() => requests.length === 5);
  requests[4].accept({});
  await until(() => idle.length);
  equal(accepted.slice().sort(), ["a", "b", "c", "d", "e"]);
  equal(idle, [{ accepted: 5, failed: 0 }]);
  equal(queue.uploads.value, []);
});

test("one that fails leaves the others alone, stays, and is sent again with the same key", async () => {
  const { queue, requests, states, idle } = makeQueue();
  queue.add([...named("a", "b"), { ...named("c")[0], refusal: "empty" }]);
  requests[0].fail(refusal);
  requests[1].accept({});
  await until(() => idle.length);
  equal(states(), ["a failed", "c refused"]);
  equal(queue.uploads.value[0].problem.code, "document_too_large");
  queue.retry(queue.uploads.value[0].id);
  equal(requests[2].key, requests[0].key);
  requests[2].accept({});
  await until(() => idle.length === 2);
  equal(states(), ["c refused"]);
  queue.clear();
  equal(states(), []);
});

test("what waiting may cure is repeated by itself, as late as the server asks, and fails in the end", async () => {
  const { queue, requests, waits, states } = makeQueue();
  queue.add(named("a"));
  for (let attempt = 0; attempt < 4; attempt++) {
    await until(() => requests.length > attempt);
    requests[attempt].fail(outage);
  }
  await until(() => states()[0] === "a failed");
  equal(waits, [5000, 5000, 5000]);
  equal(new Set(requests.map(({ key }) => key)).size, 1);
});

test("one that is taken off the list is stopped, and is no failure", async () => {
  const { queue, requests, accepted, idle } = makeQueue();
  queue.add(named("a", "b"));
  queue.remove(queue.uploads.value[0].id);
  requests[1].accept({});
  await until(() => idle.length);
  assert(accepted.join() === "b");
  equal(idle, [{ accepted: 1, failed: 0 }]);
});

test("what failed is told to whoever remembers it, and is sent again with another choice of its file", async () => {
  const remembered = [];
  const onFailures = (failed) => remembered.push(failed.map(({ name }) => name));
  const first = makeQueue({ onFailures });
  first.queue.add(named("a", "b"));
  first.requests[0].fail(refusal);
  first.requests[1].accept({});
  await until(() => first.idle.length);
  equal(remembered, [["a"]]);
  const second = makeQueue({ onFailures, failed: [{ ...named("a")[0], problem: { title: "The storage is full" } }] });
  equal(second.states(), ["a failed"]);
  second.queue.retry(second.queue.uploads.value[0].id, new File(["other"], "a"));
  equal(second.queue.uploads.value[0].bytes, 5);
  second.requests[0].accept({});
  await until(() => second.idle.length);
  equal(remembered, [["a"], []]);
});
