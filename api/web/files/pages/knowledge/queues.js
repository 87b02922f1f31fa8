// The queues of uploads, one for each knowledge base: they go on while other pages are shown, until the document is closed.
import { announce } from "../../components/announcer.js";
import { sendUpload } from "./requests.js";
import { UploadQueue } from "./upload_queue.js";
import { t } from "./words.js";

const queues = new Map();

/** The queue of a knowledge base. @param {string} account of whoever uploads: another one finds nothing of it */
export function queueOf(account, baseId) {
  const name = `${account} ${baseId}`;
  if (!queues.has(name)) {
    queues.set(
      name,
      new UploadQueue({
        transport: (upload, options) => sendUpload(baseId, upload, options),
        onIdle: ({ accepted, failed }) => announce(failed ? t("uploads_ended_with_failures", { accepted, failed }) : t("uploads_ended", { accepted })),
      }),
    );
  }
  return queues.get(name);
}

addEventListener("beforeunload", (event) => {
  if ([...queues.values()].some((queue) => queue.isBusy)) event.preventDefault(); // the browser asks whether to leave
});
