import { PassageText, blocksOf, piecesOf } from "./passage_text.js";
import { equal, mount, test } from "/testing.js";

test("lines with tabs are rows, everything else is text", () => {
  equal(blocksOf("a\nb\nx\ty\n1\t2\n\nc"), [{ text: "a\nb" }, { rows: [["x", "y"], ["1", "2"]] }, { text: "c" }]);
  equal(blocksOf("one\ttab"), [{ text: "one\ttab" }]);
  equal(blocksOf(""), [{ text: "" }]);
});

test("words of the query are marked, whatever signs they have", () => {
  equal(piecesOf("Leave (C++) and leave", ["leave", "c++"]), ["", "Leave", " (", "C++", ") and ", "leave", ""]);
  equal(piecesOf("年假25天", ["年假"]), ["", "年假", "25天"]);
  equal(piecesOf("text", []), ["text"]);
});

test("markup in a passage is text", () => {
  const place = mount(PassageText, { text: "<img src=x onerror=alert(1)>\na\t<b>\nc\td", keywords: ["img"] });
  equal(place.querySelectorAll("img, b").length, 0);
  equal(place.querySelector("mark").textContent, "img");
  equal(place.querySelectorAll("td").length, 4);
});
