import { chooseLanguage, formatPlace } from "./words.js";
import { equal, test } from "/testing.js";

test("places are said in the language of the page, headings as they are", () => {
  const places = ["p. 1-2 > 员工手册", "a.zip > p. 3", "slide 4", "part 2", "Costs!A1:C20 > p. 3 and more", ""];
  chooseLanguage("en");
  equal(places.map(formatPlace), places);
  chooseLanguage("zh");
  equal(places.map(formatPlace), ["第 1–2 页 > 员工手册", "a.zip > 第 3 页", "第 4 张幻灯片", "第 2 部分", "Costs!A1:C20 > p. 3 and more", ""]);
});
