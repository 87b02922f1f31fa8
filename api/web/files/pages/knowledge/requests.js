// What this page asks of the API.
import { call, callTagged, newKey, query } from "../../core/http.js";
import { upload } from "../../core/upload.js";

const PAGE = 50;

/** The path of a knowledge base in the API. */
export function baseUrl(baseId) {
  return `/knowledge/${encodeURIComponent(baseId)}`;
}

/** The path of a document in the API; in the pages it is the same. */
export function documentUrl(baseId, documentId) {
  return `${baseUrl(baseId)}/documents/${encodeURIComponent(documentId)}`;
}

export const listBases = (cursor, signal) => call("GET", `/knowledge${query({ limit: PAGE, cursor })}`, { signal });
export const readBase = (baseId, signal) => callTagged("GET", baseUrl(baseId), { signal });
export const createBase = (values, key) => call("POST", "/knowledge", { body: values, key });
export const changeBase = (baseId, values, etag) => call("PATCH", baseUrl(baseId), { body: values, ifMatch: etag });
export const deleteBase = (baseId) => call("DELETE", baseUrl(baseId));

export const listDocuments = (baseId, state, cursor, signal) => call("GET", `${baseUrl(baseId)}/documents${query({ limit: PAGE, cursor, state })}`, { signal });
export const readDocument = (baseId, documentId, signal) => call("GET", documentUrl(baseId, documentId), { signal });
export const listChunks = (baseId, documentId, cursor, signal) => call("GET", `${documentUrl(baseId, documentId)}/chunks${query({ limit: 20, cursor })}`, { signal });
export const listVersions = (baseId, documentId, cursor, signal) => call("GET", `${documentUrl(baseId, documentId)}/versions${query({ limit: 20, cursor })}`, { signal });
export const deleteDocument = (baseId, documentId) => call("DELETE", documentUrl(baseId, documentId));
export const reprocessDocument = (baseId, documentId) => call("POST", `${documentUrl(baseId, documentId)}/reprocess`, { key: newKey() });
export const submitText = (baseId, values, key) => call("POST", `${baseUrl(baseId)}/documents`, { body: values, key });
export const search = (baseId, values, signal) => call("POST", `${baseUrl(baseId)}/search`, { body: values, key: newKey(), signal });

/** Stops the work on the newest version of a document. */
export async function cancelDocument(baseId, documentId) {
  const { task_id } = await readDocument(baseId, documentId);
  await call("POST", `/tasks/${task_id}/cancel`, { key: newKey() });
}

export const readIndex = (baseId, signal) => call("GET", `${baseUrl(baseId)}/index`, { signal });
/** @param {"rebuild" | "back" | "drop"} act */
export const changeIndex = (baseId, act, body) => call("POST", `${baseUrl(baseId)}/index/${act}`, { body, key: newKey() });

/** Sends one upload of the queue: a file as a form, a web page as its address. @param {import("./upload_queue.js").Upload} sent */
export function sendUpload(baseId, { file, url, documentId, password, key }, { signal, onProgress }) {
  if (url) return call("POST", `${baseUrl(baseId)}/documents/url`, { body: { url, document_id: documentId }, key, signal });
  const form = new FormData();
  form.append("document_id", documentId);
  if (password) form.append("password", password);
  form.append("file", file);
  return upload(`${baseUrl(baseId)}/documents/upload`, form, { key, signal, onProgress });
}

/** The largest file that the installation takes, in bytes; null while it is not known. */
export async function readFileBytesMax() {
  const { values } = await call("GET", "/configs/public");
  return values["document.file_bytes_max"] ?? null;
}
