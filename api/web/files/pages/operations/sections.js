// The sections of the page, each with its own path; a section is loaded when it is first wanted.

/** @type {{name: string, role: "admin" | "operator", load: () => Promise<{default: any}>}[]} */
export const SECTIONS = [
  { name: "health", role: "admin", load: () => import("./health/health.js") },
  { name: "tasks", role: "admin", load: () => import("./tasks/tasks.js") },
  { name: "dead-letters", role: "admin", load: () => import("./tasks/dead_letters.js") },
  { name: "schedules", role: "admin", load: () => import("./tasks/schedules.js") },
  { name: "limits", role: "operator", load: () => import("./limits/limits.js") },
  { name: "configuration", role: "operator", load: () => import("./configuration/configuration.js") },
  { name: "people", role: "admin", load: () => import("./people/people.js") },
  { name: "audit", role: "admin", load: () => import("./people/audit.js") },
  { name: "explain", role: "admin", load: () => import("./explain/explain.js") },
];

/** The path of a section and of what it shows. @param {...string} parts */
export function pathOf(name, ...parts) {
  return ["/operations", ...(name === "health" ? [] : [name]), ...parts.map(encodeURIComponent)].join("/");
}
