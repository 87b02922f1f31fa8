// Conversations in the groups of the list, by when they were last active.

/** Names of the groups, in their order. */
export const GROUPS = ["pinned", "today", "yesterday", "week", "earlier"];

const DAY_MS = 86_400_000;

/**
 * The groups that are not empty, each with the last active conversation first.
 * @param {{id: string, pinned: boolean, updated_at: string}[]} conversations in any order, each once
 * @param {Date} now days begin at the midnight of this browser
 * @returns {{name: string, items: any[]}[]}
 */
export function groupConversations(conversations, now) {
  const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate());
  const groups = Object.fromEntries(GROUPS.map((name) => [name, []]));
  for (const each of sortByActivity(conversations)) groups[groupOf(each, midnight)].push(each);
  return GROUPS.filter((name) => groups[name].length).map((name) => ({ name, items: groups[name] }));
}

/** The last active first. */
export function sortByActivity(conversations) {
  return [...conversations].sort((one, other) => Date.parse(other.updated_at) - Date.parse(one.updated_at));
}

function groupOf({ pinned, updated_at }, midnight) {
  if (pinned) return "pinned";
  const days = Math.ceil((midnight - Date.parse(updated_at)) / DAY_MS); // how many midnights ago
  return days <= 0 ? "today" : days === 1 ? "yesterday" : days < 7 ? "week" : "earlier";
}
