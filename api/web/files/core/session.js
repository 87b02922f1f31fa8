// Who is signed in. The tokens are in cookies that no script reads; this is the account and what it may do.
import { signal } from "./html.js";
import { call, refresh, setCsrfToken, whenSessionEnds } from "./http.js";

/** undefined: not known yet; null: nobody; else the account, as GET /users/me has it. */
export const user = signal(undefined);

// other tabs learn of a sign-out or another account at once
const channel = "BroadcastChannel" in window ? new BroadcastChannel("claw.session") : null;

/** Finds out who is signed in; nobody when there is no session. Raises Problem when the API cannot say. */
export async function restoreSession() {
  whenSessionEnds(() => {
    user.value = null;
  });
  channel?.addEventListener("message", restoreQuietly);
  await readSession();
}

/** @param {string} email @param {string} password */
export async function signIn(email, password) {
  await begin(await call("POST", "/auth/login", { body: { email, password, cookie: true }, refresh: false }));
}

/** @param {{email: string, password: string, name?: string, invitation?: string}} details @param {string} key of this attempt */
export async function register(details, key) {
  await begin(await call("POST", "/auth/register", { body: { ...details, cookie: true }, key, refresh: false }));
}

/** Ends the session here, or with `everywhere` all sessions of the account. */
export async function signOut(everywhere = false) {
  await (everywhere ? call("DELETE", "/auth/sessions") : call("POST", "/auth/logout"));
  forgetSession();
}

/** After the session has ended otherwise, such as with the account: nobody is signed in, in all tabs. */
export function forgetSession() {
  setCsrfToken("");
  user.value = null;
  channel?.postMessage("ended");
}

/** Whether the account has this role or a higher one: "user", "admin" of an organisation, "operator" of the installation. */
export function hasRole(role) {
  const roles = ["user", "admin", "operator"];
  return Boolean(user.value) && roles.indexOf(user.value.role) >= roles.indexOf(role);
}

/** Reads the account again after it was changed. */
export async function readSession() {
  try {
    const current = await call("GET", "/auth/session", { refresh: false });
    setCsrfToken(current.csrf_token || "");
    user.value = current.user;
  } catch (problem) {
    if (problem.status !== 401) throw problem;
    if (!(await refresh())) {
      user.value = null;
      return;
    }
    const current = await call("GET", "/auth/session", { refresh: false });
    setCsrfToken(current.csrf_token || "");
    user.value = current.user;
  }
}

async function begin(session) {
  setCsrfToken(session.csrf_token);
  user.value = session.user;
  channel?.postMessage("begun");
}

async function restoreQuietly() {
  const before = user.value?.id;
  try {
    await readSession();
  } catch {
    return; // the next request of this tab finds out
  }
  if (before && user.value && user.value.id !== before) location.reload(); // nothing of the other account stays on the screen
}
