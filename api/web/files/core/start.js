// The application: session, navigation, and the page at the present path.
import { html, render, useEffect } from "./html.js";
import { LazyComponent } from "./lazy.js";
import { loadPage, navigate, place, startRouter } from "./router.js";
import { restoreSession, user } from "./session.js";
import { useResource } from "./resource.js";
import { Frame } from "../components/frame.js";
import { Announcements } from "../components/announcer.js";
import { Toasts } from "../components/toasts.js";
import { ProblemNote } from "../components/problem_note.js";
import { Loading } from "../components/loading.js";

// the folder of the page by the first part of the path; the server has the same table (api/web/shell.py), compared by a test
export const PAGES = {
  "": "chat",
  chat: "chat",
  knowledge: "knowledge",
  operations: "operations",
  account: "account",
  embed: "embed",
  "sign-in": "sign_in",
  register: "sign_in",
  "verify-email": "sign_in",
  "reset-password": "sign_in",
  invitation: "sign_in",
  erasure: "sign_in",
};

function App() {
  const restored = useResource(() => restoreSession(), []);
  const name = PAGES[place.value.parts[0]] ?? "chat";
  const isSignIn = name === "sign_in";
  useEffect(() => {
    if (user.value === null && !isSignIn) navigate(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`, { replace: true });
  }, [user.value, isSignIn]);
  if (restored.problem && user.value === undefined) return html`<main class="centre"><${ProblemNote} problem=${restored.problem} retry=${restored.reload} /></main>`;
  if (user.value === undefined) return html`<main class="centre"><${Loading} /></main>`;
  if (isSignIn) return html`<${Page} key=${name} name=${name} />`;
  if (user.value === null) return null;
  return html`<${Frame} current=${name}><${Page} key=${`${user.value.id} ${name}`} name=${name} /></${Frame}>`;
}

/** The page of a folder. */
function Page({ name }) {
  return html`<${LazyComponent} load=${() => loadPage(name)} wrap=${(state) => html`<main class="centre">${state}</main>`} />`;
}

if (document.getElementById("app")) {
  startRouter();
  render(html`<${App} /><${Toasts} /><${Announcements} />`, document.getElementById("app"));
}
