// The queues of uploads, one for each knowledge base: they go on while other pages are shown, until the document is closed.
import { effect } from "../../core/html.js";
import { user } from "../../core/session.js";
import { announce } from "../../components/announcer.js";
import { sendUpload } from "./requests.js";
import { UploadQueue } from "./upload_queue.js";
import { t } from "./words.js";

const STORED = "claw.uploads."; // in this tab alone, until it is closed: names and causes, no content

const queues = new Map();

/** The queue of a knowledge base. @param {string} account of whoever uploads: another one finds nothing of it */
export function queueOf(account, baseId) {
  const name = `${account} ${baseId}`;
  if (!queues.has(name)) {
    queues.set(
      name,
      new UploadQueue({
        failed: recall(name),
        onFailures: (failed) => remember(name, failed),
        transport: (upload, options) => sendUpload(baseId, upload, options),
        onIdle: ({ accepted, failed }) => announce(failed ? t("uploads_ended_with_failures", { accepted, failed }) : t("uploads_ended", { accepted })),
      }),
    );
  }
  return queues.get(name);
}

effect(() => {
  if (user.value === null) forget();
});

function recall(name) {
  try {
    return JSON.parse(sessionStorage.getItem(STORED + name) || "[]");
  } catch {
    return []; // storage is refused, or holds something else
  }
}

function remember(name, failed) {
  const kept = failed.map(({ documentId, name: shown, bytes, url, problem }) => {
    const { title, detail, remedy, title_zh, remedy_zh } = problem;
    return { documentId, name: shown, bytes, url, problem: { title, detail, remedy, title_zh, remedy_zh } };
  });
  try {
    sessionStorage.setItem(STORED + name, JSON.stringify(kept));
  } catch {
    // refused or full: they are listed as long as the document is open
  }
}

function forget() {
  queues.clear();
  try {
    for (const key of Object.keys(sessionStorage)) if (key.startsWith(STORED)) sessionStorage.removeItem(key);
  } catch {
    // nothing was stored
  }
}

addEventListener("beforeunload", (event) => {
  if ([...queues.values()].some((queue) => queue.isBusy)) event.preventDefault(); // the browser asks whether to leave
});
