import { groupConversations } from "./groups.js";
import { equal, test } from "/testing.js";

const now = new Date(2026, 10, 30, 0, 30); // half an hour into the day
const at = (hoursAgo, pinned = false) => ({ id: String(hoursAgo), pinned, updated_at: new Date(now - hoursAgo * 3_600_000).toISOString() });

test("days end at midnight, and pinned ones come first whatever their age", () => {
  const groups = groupConversations([at(2000, true), at(24 * 40), at(0.2), at(1), at(24.4), at(24.6), at(24 * 5), at(0.1), at(-1)], now);
  equal(
    groups.map(({ name, items }) => [name, items.map((item) => item.id)]),
    [
      ["pinned", ["2000"]],
      ["today", ["-1", "0.1", "0.2"]],
      ["yesterday", ["1", "24.4"]],
      ["week", ["24.6", "120"]],
      ["earlier", ["960"]],
    ],
  );
});

test("nothing has no groups", () => equal(groupConversations([], now), []));
