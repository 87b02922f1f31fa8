import { StateCounts, isNewer, rowsOf, withProgress } from "./documents.js";
import { equal, test } from "/testing.js";

const progress = (document_id, version, state, more = {}) => ({ document_id, version, state, title: "", percent: 0, ...more });

test("of a document the highest version counts, and an end is not taken back", () => {
  equal(isNewer(progress("a", 2, "queued"), progress("a", 1, "indexed")), true);
  equal(isNewer(progress("a", 1, "indexed"), progress("a", 2, "queued")), false);
  equal(isNewer(progress("a", 1, "embedding"), progress("a", 1, "failed")), false);
  equal(isNewer(progress("a", 1, "indexed"), progress("a", 1, "failed")), true); // a redriven dead letter
  equal(isNewer(progress("a", 1, "queued"), progress("a", 1, "parsing")), true); // tried again later
});

test("a new version is shown while readers see the old one", () => {
  const row = { ...progress("a", 1, "indexed", { title: "Handbook" }), visible_version: 1, bytes: 5 };
  const replaced = withProgress(row, progress("a", 2, "parsing", { percent: 40 }));
  equal([replaced.version, replaced.visible_version, replaced.title, replaced.percent, replaced.bytes], [2, 1, "Handbook", 40, 5]);
  equal(withProgress(replaced, progress("a", 2, "indexed")).visible_version, 2);
  equal(withProgress(replaced, progress("a", 2, "failed")).visible_version, 1);
  equal(withProgress(row, undefined), row);
});

test("rows are the listed ones as they are now, after those that only the stream knows", () => {
  const listed = [progress("a", 1, "queued"), progress("b", 1, "indexed")];
  const live = new Map([progress("a", 1, "indexed"), progress("c", 1, "queued"), progress("d", 1, "queued"), progress("b", 2, "deleted")].map((each) => [each.document_id, each]));
  equal(rowsOf(listed, live).map((row) => `${row.document_id} ${row.state}`), ["d queued", "c queued", "a indexed"]);
  equal(rowsOf(listed, live, "indexed").map((row) => row.document_id), ["a"]);
});

test("counts follow the steps; what they do not know makes them uncertain", () => {
  const counts = new StateCounts();
  counts.take({ documents: 3, counts: { queued: 1, indexed: 2 }, open: [progress("a", 1, "queued")] });
  counts.know([progress("b", 1, "indexed")]);
  counts.add(progress("a", 1, "indexed"));
  counts.add(progress("a", 1, "embedding")); // late
  equal([counts.counts, counts.documents, counts.isUncertain], [{ queued: 0, indexed: 3 }, 3, false]);
  counts.add(progress("b", 2, "deleted"));
  equal([counts.counts.indexed, counts.documents, counts.isUncertain], [2, 2, true]); // the list may be older
  counts.take({ documents: 2, counts: { indexed: 2 }, open: [] });
  counts.add(progress("new", 1, "queued"));
  counts.add(progress("new", 1, "failed"));
  equal([counts.counts.failed, counts.counts.queued, counts.documents, counts.isUncertain], [1, 0, 3, true]);
});
