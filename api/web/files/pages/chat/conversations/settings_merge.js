// Changes of a conversation's settings that meet changes from elsewhere: pure.

/** The settings of a conversation that its dialog has. */
export const FIELDS = ["title", "type", "mode", "model", "system_prompt", "knowledge_base_ids"];

/** What is different in `mine`. @returns {Record<string, unknown>} the body of a PATCH */
export function changedSettings(before, mine) {
  return Object.fromEntries(FIELDS.filter((name) => !isSame(before[name], mine[name])).map((name) => [name, mine[name]]));
}

/**
 * Three states of a conversation: `before`, as both began; `theirs`, as it was stored meanwhile; `mine`, as it is in the form.
 * @returns {{merged: Record<string, unknown>, conflicts: string[]}} `merged`: mine with what only they changed; `conflicts`: the fields that
 *   both changed, to different values
 */
export function mergeSettings(before, theirs, mine) {
  const merged = { ...mine };
  const conflicts = [];
  for (const name of FIELDS) {
    if (isSame(before[name], mine[name])) merged[name] = theirs[name];
    else if (!isSame(before[name], theirs[name]) && !isSame(theirs[name], mine[name])) conflicts.push(name);
  }
  return { merged, conflicts };
}

function isSame(one, other) {
  return Array.isArray(one) && Array.isArray(other) ? one.length === other.length && one.every((value) => other.includes(value)) : one === other;
}
