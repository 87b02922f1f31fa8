import { EventParser } from "./event_parser.js";
import { followEvents, followOncePerBrowser, followWhileVisible } from "./events.js";
import { equal, test, until } from "/testing.js";

const text = 'id: 1\nevent: delta\ndata: {"text": "早"}\n\n: heartbeat\n\nid: 2\nevent: completed\ndata: {"a":\ndata: 1}\n\n';

test("events are the same however the text is cut", () => {
  const whole = new EventParser().feed(text);
  equal(whole, [
    { id: "1", event: "delta", data: { text: "早" } },
    { id: "2", event: "completed", data: { a: 1 } },
  ]);
  for (let cut = 1; cut < text.length; cut++) {
    const parser = new EventParser();
    equal([...parser.feed(text.slice(0, cut)), ...parser.feed(text.slice(cut))], whole);
  }
});

test("carriage returns end lines, alone or with a line feed, even where a chunk ends between them", () => {
  for (const end of ["\r\n", "\r"]) {
    const changed = text.replaceAll("\n", end);
    for (let cut = 1; cut < changed.length; cut++) {
      const parser = new EventParser();
      equal([...parser.feed(changed.slice(0, cut)), ...parser.feed(changed.slice(cut)), ...parser.feed("\n")].length, 2);
    }
  }
});

test("a stream that breaks is taken up again after its last event", async () => {
  const asked = [];
  window.fetch = async (_path, { headers }) => {
    asked.push(headers["Last-Event-ID"] ?? "");
    const number = asked.length;
    if (number === 2) throw new TypeError("no network");
    return new Response(`id: ${number}\nevent: delta\ndata: {}\n\n${number === 3 ? "id: 9\nevent: completed\ndata: {}\n\n" : ""}`);
  };
  const seen = [];
  await followEvents("/x", {
    signal: new AbortController().signal,
    onEvent: (event) => {
      seen.push(event.id);
      return event.event === "completed";
    },
  });
  equal(asked, ["", "1", "1"]);
  equal(seen, ["1", "3", "9"]);
});

test("204 is the end", async () => {
  window.fetch = async () => new Response(null, { status: 204 });
  await followEvents("/x", { signal: new AbortController().signal, onEvent: () => {} });
});

test("several followers of a browser share one connection, and the next one takes over", async () => {
  let connections = 0;
  let write = null;
  window.fetch = async () => {
    connections++;
    return new Response(new ReadableStream({ start: (controller) => (write = (text) => controller.enqueue(new TextEncoder().encode(text))) }));
  };
  const [first, second] = [new AbortController(), new AbortController()];
  const seen = [[], []];
  followOncePerBrowser("/shared", { signal: first.signal, onEvent: (event) => void seen[0].push(event.id) });
  await until(() => write);
  followOncePerBrowser("/shared", { signal: second.signal, onEvent: (event) => void seen[1].push(event.id) });
  write("id: 1\ndata: {}\n\n");
  await until(() => seen[0].length === 1 && seen[1].length === 1);
  equal(connections, 1);
  write = null;
  first.abort();
  await until(() => write);
  write("id: 2\ndata: {}\n\n");
  await until(() => seen[1].length === 2);
  equal(seen, [["1"], ["1", "2"]]);
  second.abort();
});

test("a page that is shown follows until the end", async () => {
  window.fetch = async () => new Response("id: 1\ndata: {}\n\n");
  const seen = [];
  await followWhileVisible("/x", { signal: new AbortController().signal, onEvent: (event) => seen.push(event.id) === 1 });
  equal(seen, ["1"]);
});
