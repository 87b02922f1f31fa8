// Forms with files, and how much of them was sent: what fetch does not tell.
import { API, headersOf, networkProblem, withSession } from "./http.js";

/**
 * Sends a form; the JSON of the response. Raises Problem, and AbortError when `signal` aborts.
 * @param {string} path below /api/v1
 * @param {FormData} form
 * @param {{key: string, signal?: AbortSignal, onProgress?: (sent: number, total: number) => void}} options bytes of the whole form
 */
export async function upload(path, form, options) {
  const answer = await withSession(() => attempt(path, form, options));
  return JSON.parse(await answer.text());
}

function attempt(path, form, { key, signal, onProgress = () => {} }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    request.open("POST", API + path);
    for (const [name, value] of Object.entries(headersOf("POST", { key }))) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => onProgress(event.loaded, event.total);
    request.onload = () => resolve(responseOf(request));
    request.onerror = () => reject(networkProblem());
    request.onabort = () => reject(new DOMException("the upload was stopped", "AbortError"));
    request.onloadend = () => signal?.removeEventListener("abort", abort);
    signal?.addEventListener("abort", abort);
    request.send(form);
    if (signal?.aborted) abort();
  });
}

function responseOf(request) {
  const wait = request.getResponseHeader("retry-after");
  return new Response(request.responseText, { status: request.status, statusText: request.statusText, headers: wait ? { "retry-after": wait } : {} });
}
