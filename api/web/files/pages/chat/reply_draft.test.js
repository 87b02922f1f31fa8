import { ReplyDraft } from "./reply_draft.js";
import { equal, test, until } from "/testing.js";

const delta = (seq, text) => ({ event: "delta", data: { seq, text } });
const CITATION = { marker: 1, chunk_id: "c", quote: "25 days" };

test("what comes twice counts once", async () => {
  const draft = new ReplyDraft({ id: "r", questionId: "q" });
  for (const event of [delta(1, "a"), delta(2, "b"), delta(1, "a"), delta(2, "b"), delta(3, "c")]) draft.take(event);
  for (let each = 0; each < 2; each++) draft.take({ event: "citation", data: CITATION });
  await until(() => draft.text.value === "abc");
  equal(draft.citations.value, [CITATION]);
});

test("a snapshot stands for everything before, a restart for nothing", async () => {
  const draft = new ReplyDraft({ id: "r", questionId: "q" });
  draft.take(delta(1, "x"));
  draft.take({ event: "snapshot", data: { text: "abc", seq: 3, keywords: [], passages: [], citations: [CITATION] } });
  equal([draft.text.value, draft.citations.value.length], ["abc", 1]);
  draft.take(delta(3, "c"));
  draft.take(delta(4, "d"));
  await until(() => draft.text.value === "abcd");
  draft.take({ event: "restart", data: { attempt: 2 } });
  equal([draft.text.value, draft.citations.value], ["", []]);
  draft.take(delta(1, "n"));
  await until(() => draft.text.value === "n");
});

test("the place in the queue is shown until something else is known", async () => {
  const draft = new ReplyDraft({ id: "r", questionId: "q", queue: { position: 3, estimated_wait_s: 9 } });
  equal(draft.queue.value.position, 3);
  draft.take({ event: "queued", data: { position: 1, estimated_wait_s: null } });
  equal(draft.queue.value, { position: 1, estimated_wait_s: null });
  draft.take(delta(1, "a"));
  await until(() => draft.text.value === "a");
  equal(draft.queue.value, null);
});

test("its last event leaves a message", () => {
  const draft = new ReplyDraft({ id: "r", questionId: "q", siblings: ["o", "r"] });
  draft.take(delta(1, "ab"));
  const message = draft.take({ event: "completed", data: { text: "abc", citations: [CITATION], usage: {}, model: "m" } });
  equal([message.id, message.parent_id, message.content, message.state, message.siblings], ["r", "q", "abc", "complete", ["o", "r"]]);
  equal(draft.take({ event: "failed", data: { title: "away" } }).problem.title, "away");
  equal(draft.take({ event: "cancelled", data: { text: "ab" } }).content, "ab");
});

test("after a stop nothing more is shown", async () => {
  const draft = new ReplyDraft({ id: "r", questionId: "q" });
  draft.take(delta(1, "a"));
  await until(() => draft.text.value === "a");
  draft.take(delta(2, "b"));
  draft.stop();
  draft.take(delta(3, "c"));
  await new Promise((resolve) => setTimeout(resolve, 100));
  equal(draft.text.value, "a");
});
