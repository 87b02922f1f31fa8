// A list of tasks that follows what happens. Pure.

/**
 * The list with a task as it is now: in its place, at the top when it is newer than all, nowhere when the filter excludes it.
 * @param {any[]} tasks the newest first @param {any} task @param {{kind?: string, state?: string}} filter
 */
export function mergeTask(tasks, task, filter) {
  const isWanted = (!filter.kind || task.kind === filter.kind) && (!filter.state || task.state === filter.state);
  const index = tasks.findIndex((each) => each.id === task.id);
  if (index >= 0) return isWanted ? tasks.with(index, task) : tasks.toSpliced(index, 1);
  if (!isWanted || (tasks.length && task.created_at < tasks[0].created_at)) return tasks;
  return [task, ...tasks];
}
