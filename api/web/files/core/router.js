// Which page is shown, by the path of the address. Pages are loaded when they are first wanted.
import { signal } from "./html.js";

const here = new URL("..", import.meta.url); // the root of the static files

/** The path and query of the address: `{path, parts, query}`; parts are decoded. */
export const place = signal(read());

/** Goes to another address of the pages. */
export function navigate(path, { replace = false } = {}) {
  history[replace ? "replaceState" : "pushState"](null, "", path);
  place.value = read();
}

/** Clicks on links to pages change the page without loading the document again. */
export function startRouter() {
  addEventListener("popstate", () => {
    place.value = read();
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href]");
    if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    if (link.origin !== location.origin || link.target || link.hasAttribute("download") || /^\/(api|v1|schema|static)\//.test(link.pathname)) return;
    event.preventDefault();
    navigate(link.pathname + link.search + link.hash);
  });
}

/**
 * The module of a page, with its style; after a new release has replaced the files, the document is loaded again.
 * @param {string} name folder of the page
 */
export async function loadPage(name) {
  try {
    const [module] = await Promise.all([import(`../pages/${name}/page.js`), loadStyle(`pages/${name}/page.css`)]);
    return module;
  } catch (error) {
    const shell = await fetch(location.href, { headers: { Accept: "text/html" } }).then((answer) => answer.text(), () => "");
    if (shell && !shell.includes(here.pathname)) location.reload();
    throw error;
  }
}

/** Adds a style sheet of the static files once; resolves when it applies. */
export function loadStyle(name) {
  const href = new URL(name, here).href;
  if ([...document.styleSheets].some((sheet) => sheet.href === href)) return Promise.resolve();
  return new Promise((resolve) => {
    const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href, onload: resolve, onerror: resolve });
    document.head.append(link);
  });
}

function read() {
  const parts = location.pathname.split("/").slice(1).map(decode);
  return { path: location.pathname, parts, query: new URLSearchParams(location.search), fragment: new URLSearchParams(location.hash.slice(1)) };
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
