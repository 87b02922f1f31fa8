// What this browser remembers of how somebody likes the pages. Never a token, never content.

/** What was stored under this name, or an empty object. */
export function readStored(name) {
  try {
    const value = JSON.parse(localStorage.getItem(`claw.${name}`) || "{}");
    return value !== null && typeof value === "object" ? value : {};
  } catch {
    return {};
  }
}

/** Remembers an object; does nothing where the browser refuses storage. */
export function writeStored(name, value) {
  try {
    localStorage.setItem(`claw.${name}`, JSON.stringify(value));
  } catch {
    // private mode, or full: the choice lasts as long as the page
  }
}
