import { AnswerClient, ProblemError } from "./answer_client.js";
import { applyEvent, newAnswer } from "./transcript.js";
import { assert, equal, test } from "/testing.js";

const event = (number, name, data) => `id: 0.${number}.1\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
const ACCEPTED = event(1, "accepted", { reply_id: "r" });
const refused = (status, more) => () => new Response(JSON.stringify({ code: "x", ...more }), { status });
const lost = () => Promise.reject(new TypeError("no network"));

/** Follow an answer through these responses in turn; what was asked, and the answer. */
async function follow(...responses) {
  const asked = [];
  window.fetch = async (url, { method = "GET", headers, body, credentials }) => {
    asked.push({ method, path: new URL(url).pathname.split("/widget/")[1], resumed: headers["Last-Event-ID"] ?? "", once: headers["Idempotency-Key"] ?? "", body, credentials });
    return responses[asked.length - 1]();
  };
  const answer = newAnswer("q");
  const signal = new AbortController().signal;
  let waits = 0;
  const reading = new AnswerClient("https://claw.example", "claw_k").follow(answer, { question: "q" }, { signal, onLost: () => (waits += 1), onEvent: (each) => applyEvent(answer, each) });
  return { asked, answer, error: await reading.then(() => null, (error) => error), waits: () => waits };
}

test("a question whose connection is lost before its first event is asked again as the same one", async () => {
  const { asked, answer } = await follow(lost, () => new Response(ACCEPTED + event(2, "completed", { text: "25", citations: [] })));
  equal([answer.text, asked.map((each) => each.method)], ["25", ["POST", "POST"]]);
  assert(asked[0].once && asked[0].once === asked[1].once && asked[0].body === asked[1].body);
  assert(asked.every((each) => each.credentials === "omit"));
});

test("an answer goes on after the last event, also when that was cut off", async () => {
  const half = event(3, "delta", { text: "not seen" }).slice(0, -9);
  const { asked, answer } = await follow(
    () => new Response(ACCEPTED + event(2, "delta", { text: "25 " }) + half),
    () => new Response(event(3, "delta", { text: "days" })),
    () => new Response(event(4, "completed", { text: "25 days", citations: [] })),
  );
  equal(asked.map((each) => [each.method, each.path, each.resumed]), [["POST", "questions", ""], ["GET", "questions/r/stream", "0.2.1"], ["GET", "questions/r/stream", "0.3.1"]]);
  equal([answer.text, answer.state], ["25 days", "complete"]);
});

test("a stream that has ended unseen is read from the beginning", async () => {
  const { asked, answer } = await follow(
    () => new Response(ACCEPTED),
    () => new Response(null, { status: 204 }),
    () => new Response(event(2, "completed", { text: "25", citations: [] })),
  );
  equal([asked.map((each) => each.resumed), answer.state], [["", "0.1.1", ""], "complete"]);
});

test("a refusal is said at once, and what passes is waited for", async () => {
  for (const status of [403, 404, 422, 429]) {
    const { asked, error } = await follow(refused(status, { code: "no", retry_after_s: 9 }));
    assert(error instanceof ProblemError);
    equal([error.problem.code, error.problem.retry_after_s, asked.length], ["no", 9, 1]);
  }
  const { asked, error, waits } = await follow(refused(503, {}), () => new Response(ACCEPTED + event(2, "cancelled", { text: "" })));
  equal([asked.length, error, waits()], [2, null, 1]);
});
