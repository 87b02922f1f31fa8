import { documentIdOf, documentIdOfAddress, kindOf, readAddresses, refusalOf } from "./document_names.js";
import { assert, equal, test } from "/testing.js";

test("a path is an id without slashes, control characters and odd spaces", () => {
  equal(documentIdOf("手册/第一章/请假.docx"), "手册 › 第一章 › 请假.docx");
  equal(documentIdOf("a//b\u0000\u202e.txt/"), "a › b .txt");
  equal(documentIdOf("a\u3000\u00a0b.txt"), "a b.txt");
  equal(documentIdOf("e\u0301.txt"), "\u00e9.txt");
  equal(documentIdOf("/"), "untitled");
});

test("long paths stay apart within 200 characters", () => {
  const [one, other] = ["x", "y"].map((middle) => documentIdOf(`${"a".repeat(150)}${middle}${"b".repeat(150)}.txt`));
  equal([[...one].length, [...other].length], [200, 200]);
  assert(one !== other && one.endsWith("b.txt"));
  equal([...documentIdOf("😀".repeat(300))].length, 200);
});

test("an address is an id, the same each time", () => {
  equal(documentIdOfAddress("https://example.com/a/%E6%89%8B?x=1#part"), "example.com › a › 手?x=1");
  equal(documentIdOfAddress("http://example.com:8000/%ff"), "example.com:8000 › %ff");
  equal(readAddresses(" https://a.example/ \n\nhttps://a.example/\njavascript:alert(1)\nno address"), {
    addresses: ["https://a.example/"],
    wrong: ["javascript:alert(1)", "no address"],
  });
});

test("what cannot be a document is refused before it is sent", () => {
  const file = (name, bytes) => ({ name, size: bytes });
  equal(refusalOf(file("a.pdf", 0), 10), "empty");
  equal(refusalOf(file("a.pdf", 11), 10), "too_large");
  equal(refusalOf(file("a.pdf", 11), null), "");
  equal(refusalOf(file("a.MP4", 5), 10), "unsupported");
  equal(refusalOf(file("mp4", 5), 10), "");
  equal([kindOf("application/pdf"), kindOf("image/png"), kindOf("")], ["PDF", "PNG", ""]);
});
