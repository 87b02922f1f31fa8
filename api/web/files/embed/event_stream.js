/**
 * Server-sent events read from a fetch, which unlike `EventSource` can send a key and resume from a chosen event.
 */

const EVENT_CHARS_MAX = 4_000_000;  // one event holds at most a whole answer

/**
 * @typedef {{id: string, event: string, data: any}} StreamEvent
 */

/**
 * The events of a response's body, to its end. A comment, such as a heartbeat, is no event.
 *
 * @param {ReadableStream<Uint8Array>} body
 * @param {() => void} heard called whenever bytes have come
 * @returns {AsyncGenerator<StreamEvent, void, void>}
 */
export async function* readEvents(body, heard) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  let fields = {};
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;  // an event that was cut off is sent again to whoever resumes
      heard();
      const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
      rest = lines.pop();
      if (rest.length > EVENT_CHARS_MAX) throw new TypeError("an event is too long");
      for (const line of lines) {
        if (line === "") {
          if (fields.data !== undefined) yield { id: fields.id ?? "", event: fields.event ?? "message", data: JSON.parse(fields.data) };
          fields = {};
        } else if (!line.startsWith(":")) {
          const colon = line.indexOf(":");
          fields[line.slice(0, colon)] = line.slice(colon + 1).trimStart();
        }
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
