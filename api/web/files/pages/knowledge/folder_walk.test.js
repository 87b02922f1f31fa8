import { filesOfInput, walk } from "./folder_walk.js";
import { equal, test } from "/testing.js";

const file = (name) => ({ name, isFile: true, file: (found) => found(new File(["x"], name)) });

// a reader gives its entries in pieces, as browsers do
const folder = (name, ...children) => ({
  name,
  createReader() {
    const left = [...children];
    return { readEntries: (found) => found(left.splice(0, 2)) };
  },
});
const pathsOf = ({ files }) => files.map(({ path }) => path);

test("folders are walked to their ends, whatever piece the browser gives", async () => {
  const found = await walk([folder("a", file("3"), folder("b", file("4"), folder("empty")), file("1"), file("2"), file("5")), file("c")]);
  equal(pathsOf(found), ["a/1", "a/2", "a/3", "a/5", "a/b/4", "c"]);
  equal(found.isCut, false);
});

test("what systems leave in folders is no document", async () => {
  const found = await walk([folder("a", file(".DS_Store"), file("~$x.docx"), file("Thumbs.db"), folder(".git", file("HEAD")), file("x.docx")), file(".env")]);
  equal(pathsOf(found), ["a/x.docx", ".env"]);
});

test("the number of files is bounded, and it is said when there were more", async () => {
  let opened = 0;
  const endless = (depth) => ({ name: `f${depth}`, createReader: () => ((opened += 1), { left: 2, readEntries(found) { found(this.left-- > 0 ? [file(`x${this.left}`), endless(depth + 1)] : []); } }) });
  const found = await walk([endless(0)], 10);
  equal([found.files.length, found.isCut], [10, true]);
  equal(opened < 20, true);
});

test("a chosen folder gives the paths of its files", () => {
  const chosen = new File(["x"], "b.txt");
  Object.defineProperty(chosen, "webkitRelativePath", { value: "a/b.txt" });
  const hidden = new File(["x"], "HEAD");
  Object.defineProperty(hidden, "webkitRelativePath", { value: "a/.git/HEAD" });
  equal(pathsOf(filesOfInput([chosen, hidden, new File(["x"], "c.txt")])), ["a/b.txt", "c.txt"]);
});
