// Which answer is meant by what somebody pasted. Pure.

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi;

/**
 * The ids in an address or a text: the last one is the reply's, the one before its conversation's. A chat completion's id contains the reply's.
 * @param {string} text @returns {{reply: string, conversation: string} | null}
 */
export function findReply(text) {
  const ids = text.slice(0, 2000).match(UUID) ?? [];
  if (!ids.length) return null;
  return { reply: ids.at(-1).toLowerCase(), conversation: (ids.at(-2) ?? "").toLowerCase() };
}

/** The scores of a passage's chunks in a search: the best of each leg; null when the search did not find it. */
export function legScores(passage, found) {
  const own = found.filter((each) => passage.chunk_ids.includes(each.chunk_id));
  return own.length ? { bm25: Math.max(...own.map((each) => each.bm25)), dense: Math.max(...own.map((each) => each.dense)) } : null;
}
