// The format of server-sent events. It imports nothing: the widget, which other sites embed, uses it, too.

/** Splits the text of an event stream into events: feed chunks, get `{id, event, data}`; `data` is parsed JSON. */
export class EventParser {
  constructor() {
    this.rest = "";
    this.fields = { id: "", event: "", data: [] };
  }

  /** @param {string} chunk @returns {{id: string, event: string, data: unknown}[]} */
  feed(chunk) {
    const lines = (this.rest + chunk).split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop();
    const events = [];
    for (const line of lines) {
      if (line === "") {
        if (this.fields.data.length) events.push({ id: this.fields.id, event: this.fields.event || "message", data: JSON.parse(this.fields.data.join("\n")) });
        this.fields = { id: "", event: "", data: [] };
      } else if (!line.startsWith(":")) {
        const [name, ...value] = line.split(":");
        const text = value.join(":").replace(/^ /, "");
        if (name === "data") this.fields.data.push(text);
        else if (name === "id" || name === "event") this.fields[name] = text;
      }
    }
    return events;
  }
}
