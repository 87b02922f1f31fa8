// Why a passage has its place: how well words and meaning found it, compared with the best of the list.

/**
 * @param {{bm25: number, dense: number}} passage @param {{bm25: number, dense: number}[]} all of the same search
 * @returns {{reason: string, values: object, words: number, meaning: number}} the key of the sentence and its values; shares of the best, 0 to 1
 */
export function reasonOf(passage, all) {
  const share = (leg) => {
    const best = Math.max(...all.map((other) => other[leg]));
    return best > 0 && passage[leg] > 0 ? passage[leg] / best : 0;
  };
  const [words, meaning] = [share("bm25"), share("dense")];
  const values = { words: Math.round(words * 100), meaning: Math.round(meaning * 100) };
  const reason = words && meaning ? (words === 1 && meaning === 1 ? "reason_best" : "reason_both") : words ? "reason_words" : "reason_meaning";
  return { reason, values, words, meaning };
}
