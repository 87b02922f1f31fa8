import { applyEvent, historyOf, newAnswer, Transcript } from "./transcript.js";
import { equal, test } from "/testing.js";

const answered = (question, text, state = "complete") => ({ ...newAnswer(question), text, state });

function storage() {
  const kept = new Map();
  return { getItem: (name) => kept.get(name) ?? null, setItem: (name, text) => kept.set(name, text), kept };
}

test("events make the answer, and a new attempt replaces what there was", () => {
  const answer = newAnswer("q");
  const cited = { marker: 1, title: "t", locator: "p. 1", quote: "q" };
  for (const [event, data] of [["queued", { position: 2 }], ["retrieved", { passages: 3 }], ["delta", { text: "wro" }], ["citation", cited], ["restart", {}], ["delta", { text: "25 " }], ["snapshot", { text: "25 days", citations: [cited] }]]) {
    applyEvent(answer, { id: "", event, data });
  }
  equal([answer.text, answer.citations, answer.queued, answer.passages, answer.state], ["25 days", [cited], 0, 3, "open"]);
  applyEvent(answer, { id: "", event: "completed", data: { text: "25 days [1]", citations: [cited] } });
  equal([answer.text, answer.state], ["25 days [1]", "complete"]);
});

test("the next question continues what was answered, within the server's limits", () => {
  const answers = Array.from({ length: 15 }, (_, number) => answered(`q${number}`, "x".repeat(9_000)));
  const history = historyOf([...answers, answered("failed", "half", "failed"), newAnswer("open")]);
  equal([history.length, history[0].content, history.at(-1).content.length], [20, "q5", 8_000]);
});

test("what a tab keeps is bounded, and comes back", () => {
  const place = storage();
  const transcript = new Transcript("x", place);
  for (let number = 0; number < 60; number += 1) transcript.add(answered(`q${number}`, "x".repeat(20_000)));
  const back = new Transcript("x", place).answers;
  equal(back.at(-1).question, "q59");
  equal([transcript.answers.length, back.length < 20, place.kept.get("claw-chat:x").length <= 400_000], [40, true, true]);
  transcript.clear();
  equal(new Transcript("x", place).answers, []);
});

test("what somebody else wrote there, or a storage that refuses, does no harm", () => {
  for (const text of ["{", "[1, null, {}]", '{"a": 1}', JSON.stringify([{ ...newAnswer("q"), text: 5 }])]) {
    const place = storage();
    place.setItem("claw-chat:x", text);
    equal(new Transcript("x", place).answers, []);
  }
  const full = { getItem: () => null, setItem: () => { throw new DOMException("full", "QuotaExceededError"); } };
  const transcript = new Transcript("x", full);
  transcript.add(answered("q", "a"));
  equal(transcript.answers.length, 1);
});
