// Requests to the API with the session of the cookie: CSRF token, language, one refresh of the session when it has to be.
import { language, locale } from "./words.js";

export const API = "/api/v1";
const OF_ONE_FIELD = new Set(["password_weak", "document_empty"]);
const AT_ROOT = /^\/(v1\/|readyz$|metrics$)/; // served outside of it

/** A response that is no success: an RFC 9457 problem, or code "network" when there was none. */
export class Problem extends Error {
  /** @param {{status?: number, code: string, title?: string, detail?: string, remedy?: string, retry_after_s?: number, errors?: {field: string, detail: string, limit: string}[]}} body */
  constructor(body) {
    super(body.detail || body.title || body.code);
    Object.assign(this, { status: 0, title: "", detail: "", remedy: "", retry_after_s: null, errors: [], ...inLanguage(body) });
  }
}

/**
 * A problem of the API, also one inside other data, with title and remedy in the language of the page. A code that is about one field, such
 * as `password_weak`, says in its title what is wrong with it.
 * @param {object} problem
 */
export function inLanguage(problem) {
  const detail = problem.detail === problem.remedy ? "" : problem.detail; // the remedy says it in either language
  const isChinese = language.value === "zh";
  const title = (isChinese && problem.title_zh) || problem.title;
  const remedy = (isChinese && problem.remedy_zh) || problem.remedy;
  const told = { ...problem, detail, title, remedy };
  if (title && OF_ONE_FIELD.has(problem.code) && problem.errors?.length === 1) told.errors = [{ ...problem.errors[0], detail: title }];
  return told;
}

let csrfToken = "";
let refreshing = null;
let onSessionEnd = () => {};

/** The CSRF token of the session, "" when there is none. */
export function setCsrfToken(token) {
  csrfToken = token;
}

/** Called when the session has ended and cannot be refreshed. */
export function whenSessionEnds(call) {
  onSessionEnd = call;
}

/** A new value for `Idempotency-Key`: one per act of a person, kept over its repeats. */
export function newKey() {
  // crypto.randomUUID is missing where the page came over plain HTTP from another machine
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * A response of the API, whatever its kind; raises Problem. Refreshes the session once when its access token has expired.
 * @param {string} method
 * @param {string} path below /api/v1
 * @param {{body?: unknown, form?: FormData, key?: string, ifMatch?: string, headers?: Record<string, string>, signal?: AbortSignal, refresh?: boolean}} [options]
 */
export async function send(method, path, options = {}) {
  return withSession(() => attempt(method, path, options), options);
}

/** The response of `attempt`, which is repeated once after the session was refreshed; raises Problem. @param {() => Promise<Response>} attempt */
export async function withSession(attempt, options = {}) {
  const answer = await attempt();
  if (answer.ok) return answer;
  const problem = await problemOf(answer);
  if (answer.status !== 401 || options.refresh === false) throw problem;
  if (!(await refresh())) {
    onSessionEnd();
    throw problem;
  }
  const again = await attempt();
  if (!again.ok) throw await problemOf(again);
  return again;
}

/** The JSON of a response, null for one without a body; raises Problem. Takes what `send` takes. */
export async function call(method, path, options = {}) {
  const answer = await send(method, path, options);
  const text = await answer.text();
  return text ? JSON.parse(text) : null;
}

/** Like `call`, with the response's ETag: `{body, etag}`. */
export async function callTagged(method, path, options = {}) {
  const answer = await send(method, path, options);
  const text = await answer.text();
  return { body: text ? JSON.parse(text) : null, etag: answer.headers.get("etag") || "" };
}

/** `?limit=5&state=failed` of what is neither null nor empty. */
export function query(values) {
  const kept = Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return kept.length ? `?${new URLSearchParams(kept.map(([name, value]) => [name, String(value)]))}` : "";
}

/** A new access token by the refresh cookie; false when the session has ended. Several callers share one request. */
export function refresh() {
  refreshing ??= refreshOnce().finally(() => {
    refreshing = null;
  });
  return refreshing;
}

async function refreshOnce() {
  const answer = await attempt("POST", "/auth/refresh", { body: { cookie: true } });
  if (!answer.ok) {
    if (answer.status === 503 || answer.status === 429) throw await problemOf(answer);
    return false;
  }
  csrfToken = (await answer.json()).csrf_token;
  return true;
}

/** The headers of a request: language, session, and what its options say. */
export function headersOf(method, { body, key, ifMatch, headers } = {}) {
  const sent = { "Accept-Language": locale.value, ...headers };
  if (method !== "GET" && csrfToken) sent["X-CSRF-Token"] = csrfToken;
  if (body !== undefined) sent["Content-Type"] = "application/json";
  if (key) sent["Idempotency-Key"] = key;
  if (ifMatch) sent["If-Match"] = ifMatch;
  return sent;
}

async function attempt(method, path, options) {
  const { body, form, signal } = options;
  try {
    return await fetch(AT_ROOT.test(path) ? path : API + path, {
      method,
      headers: headersOf(method, options),
      body: form ?? (body === undefined ? undefined : JSON.stringify(body)),
      signal,
      credentials: "same-origin",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw networkProblem();
  }
}

/** The problem of a request that got no response. */
export function networkProblem() {
  return new Problem(NETWORK[language.value]);
}

const NETWORK = {
  zh: { code: "network", title: "无法连接服务器", detail: "请检查网络连接，然后再试一次。" },
  en: { code: "network", title: "The server cannot be reached", detail: "Check the network connection, then try again." },
};

/** The Problem of a response that is no success. */
async function problemOf(answer) {
  const header = answer.headers.get("retry-after");
  let body = {};
  try {
    body = JSON.parse(await answer.text());
  } catch {
    // not of the API: a proxy's page
  }
  return new Problem({
    code: `http_${answer.status}`,
    title: answer.statusText,
    ...body,
    status: answer.status,
    retry_after_s: header ? Number(header) : (body.retry_after_s ?? null),
  });
}
