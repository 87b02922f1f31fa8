import { h } from "../vendor/preact.js";
import { usePages } from "./paging.js";
import { equal, mount, test, until } from "/testing.js";

/** Draws a list; `list()` is its newest state, `asked` the cursors that were asked for. */
function follow(answers, options) {
  const asked = [];
  let newest = null;
  const load = async (cursor) => {
    asked.push(cursor);
    return answers(cursor, asked.length);
  };
  mount(function List() {
    newest = usePages(load, (item) => item.id, [], options);
    return h("p", null, newest.items?.length);
  });
  return { asked, list: () => newest, ids: () => newest.items?.map((item) => item.id) };
}

const page = (ids, next_cursor = null) => ({ items: ids.map((id) => ({ id })), next_cursor });

test("pages follow each other, and nothing is there twice", async () => {
  const { list, ids, asked } = follow((cursor) => (cursor ? page([2, 3]) : page([1, 2], "x")));
  await until(() => list().hasMore);
  list().more();
  await until(() => !list().hasMore && !list().loading);
  equal(ids(), [1, 2, 3]);
  equal(asked, ["", "x"]);
});

test("empty pages of a filter are passed over", async () => {
  const { list, ids } = follow((cursor) => (cursor === "b" ? page([7]) : page([], cursor ? "b" : "a")));
  await until(() => !list().loading);
  equal(ids(), [7]);
});

test("reloading drops what is gone, renewing keeps what follows", async () => {
  let first = page([1, 2], "x");
  const { list, ids } = follow((cursor) => (cursor ? page([3]) : first));
  await until(() => list().hasMore);
  list().more();
  await until(() => !list().hasMore && !list().loading);
  first = page([0, 1], "x");
  list().renew();
  await until(() => ids()[0] === 0);
  equal(ids(), [0, 1, 2, 3]);
  list().reload();
  await until(() => ids().length === 2);
  equal(ids(), [0, 1]);
});

test("a reload outlives the answer that was asked for before it", async () => {
  let answerFirst;
  const { list, ids } = follow((_cursor, turn) => (turn === 1 ? new Promise((resolve) => (answerFirst = resolve)) : page([2])));
  await until(() => answerFirst);
  list().reload();
  await until(() => ids()?.length);
  answerFirst(page([1]));
  await new Promise((resolve) => setTimeout(resolve, 20));
  equal(ids(), [2]);
});

test("a problem is shown, and what was there stays", async () => {
  let fails = false;
  const { list, ids } = follow(() => {
    if (fails) throw new Error("away");
    return page([1]);
  });
  await until(() => ids()?.length);
  fails = true;
  list().reload();
  await until(() => list().problem);
  equal(ids(), [1]);
});
