// What tests of modules import as "/testing.js": a list of tests, which tests/api/web/test_modules.py runs in the browser.
import { h, render } from "/vendor/preact.js";

export const tests = [];

/** One test; it fails when it raises. */
export function test(name, run) {
  tests.push({ name, run });
}

export function assert(condition, message = "not true") {
  if (!condition) throw new Error(message);
}

/** The same content. */
export function equal(actual, expected) {
  const [seen, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (seen !== wanted) throw new Error(`${seen} is not ${wanted}`);
}

/** Draws a component into an empty element of the document, and returns the element. */
export function mount(component, props) {
  const place = document.createElement("div");
  document.body.append(place);
  render(h(component, props), place);
  return place;
}

/** Waits until `condition` returns something true, and returns it. */
export async function until(condition, ms = 5000) {
  const end = performance.now() + ms;
  for (;;) {
    const value = condition();
    if (value) return value;
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Gives `run` a function that has the number of the present task, by a chain of tasks beside it. */
export async function countTasks(run) {
  let task = 0;
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => {
    task += 1;
    port2.postMessage(null);
  };
  port2.postMessage(null);
  await run(() => task);
  port1.close();
}

/** Runs all tests; the failures. */
export async function runTests() {
  const failures = [];
  for (const { name, run } of tests) {
    document.body.textContent = "";
    try {
      await run();
    } catch (error) {
      failures.push(`${name}: ${error.message}\n${error.stack}`);
    }
  }
  return { failures, count: tests.length };
}
