import { equal, test } from "/testing.js";
import { findReply, legScores } from "./reply_ids.js";

const [reply, conversation] = ["9bdc050b-58b8-5cd4-b54a-d4a3f6a25ac2", "831dd4ff-9f92-56fd-933c-b33db9f30358"];

test("an id, an address, or the id of a chat completion names the reply", () => {
  equal(findReply(` ${reply.toUpperCase()} `), { reply, conversation: "" });
  equal(findReply(`https://x/api/v1/conversations/${conversation}/replies/${reply}?a=1`), { reply, conversation });
  equal(findReply(`chatcmpl-${reply}`), { reply, conversation: "" });
  equal(findReply("why?"), null);
});

test("the scores of a passage are the best of its chunks", () => {
  const found = [{ chunk_id: "a", bm25: 1, dense: 0.5 }, { chunk_id: "b", bm25: 2, dense: 0.1 }, { chunk_id: "c", bm25: 9, dense: 0.9 }];
  equal(legScores({ chunk_ids: ["a", "b"] }, found), { bm25: 2, dense: 0.5 });
  equal(legScores({ chunk_ids: ["x"] }, found), null);
});
