import { call } from "./http.js";
import { chooseLanguage } from "./words.js";
import { assert, test } from "/testing.js";

test("without a connection nothing is promised that nobody does: an act is for the person to repeat", async () => {
  window.fetch = async () => {
    throw new TypeError("Failed to fetch");
  };
  for (const [language, words, promise] of [["zh", "再试一次", "自动"], ["en", "try again", "by itself"]]) {
    chooseLanguage(language);
    const problem = await call("POST", "/conversations", { body: {} }).catch((raised) => raised);
    assert(problem.code === "network" && problem.detail.includes(words) && !problem.detail.includes(promise), problem.detail);
  }
});
