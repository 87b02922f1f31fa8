// `<claw-chat key="claw_…">`: a chat over the knowledge bases of its key, for pages of others (docs/embed.md).
//
// It needs nothing of the page: its own shadow tree and style, no cookie, and of the browser's storage a few kilobytes of this tab.

import { AnswerClient, ProblemError } from "./answer_client.js";
import { element } from "./markdown.js";
import { widgetStyle } from "./style.js";
import { applyEvent, historyOf, newAnswer, tabStorage, Transcript } from "./transcript.js";
import { Turn } from "./turn.js";
import { speakerOf } from "./words.js";

const SAVE_MS = 250;
const NEAR_END_PX = 60; // whoever reads further up is left there

export class ClawChat extends HTMLElement {
  static observedAttributes = ["lang", "title", "key", "base-url", "knowledge"];

  #turns = [];
  #following = null; // AbortController of the answer that is being read
  #frame = 0;
  #saved = 0;
  #atEnd = true;

  constructor() {
    super();
    this.attachShadow({ mode: "open" }).adoptedStyleSheets = [widgetStyle()];
    this.#build();
  }

  connectedCallback() {
    addEventListener("pagehide", this.#keep);
    this.#start();
  }

  disconnectedCallback() {
    removeEventListener("pagehide", this.#keep);
    this.#leave();
  }

  attributeChangedCallback(name, before, now) {
    if (!this.isConnected || before === now) return;
    if (name === "lang" || name === "title") this.#renderAll();
    else this.#start();
  }

  get #say() {
    return speakerOf(this.getAttribute("lang") || this.closest("[lang]")?.lang || navigator.language);
  }

  #build() {
    this.heading = element("h2");
    this.renew = element("button");
    this.renew.type = "button";
    this.renew.addEventListener("click", () => this.#clear());
    this.log = element("ol");
    this.log.className = "log";
    this.log.tabIndex = 0;
    this.log.addEventListener("scroll", () => {
      this.#atEnd = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < NEAR_END_PX;
    });
    this.input = element("textarea");
    this.input.rows = 1;
    this.input.maxLength = 8_000;
    this.input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return; // Enter that ends a composition of an input method sends nothing
      event.preventDefault();
      if (!this.#following) this.#submit();
    });
    this.action = element("button");
    this.form = element("form", [this.input, this.action]);
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.#following) this.#stop();
      else this.#submit();
    });
    this.note = element("p");
    this.note.className = "note";
    this.speech = element("div"); // speaks once per answer, when it has ended
    this.speech.className = "speech";
    this.speech.setAttribute("role", "status");
    this.root = element("section", [element("header", [this.heading, this.renew]), this.log, this.form, this.note, this.speech]);
    this.root.className = "chat";
    this.root.title = ""; // the host's title is the heading, and no tooltip of everything in it
    this.shadowRoot.append(this.root);
  }

  /** Begin with what this tab has kept, and go on with an answer that had not ended. */
  #start() {
    this.#leave();
    const key = this.getAttribute("key") ?? "";
    const baseUrl = readBaseUrl(this.getAttribute("base-url"));
    this.knowledge = (this.getAttribute("knowledge") ?? "").split(/[\s,]+/).filter(Boolean);
    this.client = key && baseUrl ? new AnswerClient(baseUrl, key) : null;
    this.transcript = new Transcript([baseUrl, key.slice(5, 37), ...this.knowledge].join(" "), this.client ? tabStorage() : null);
    this.#turns = this.transcript.answers.map((answer) => this.#turnOf(answer));
    this.#renderAll();
    const last = this.#turns.at(-1);
    if (last?.answer.state === "open") this.#follow(last);
  }

  #leave() {
    this.#following?.abort();
    this.#following = null;
    if (this.transcript) this.#keep();
  }

  #keep = () => this.transcript.save();

  #turnOf(answer) {
    return new Turn(answer, () => this.#ask(answer.question));
  }

  #submit() {
    const question = this.input.value.trim();
    if (!question) return;
    this.input.value = "";
    this.#ask(question);
  }

  #ask(question) {
    if (this.#following) return;
    const answer = newAnswer(question);
    const failed = this.transcript.answers.at(-1);
    if (failed?.state === "failed" && failed.question === question) { // the same once more takes its place
      this.transcript.answers.pop();
      this.#turns.pop();
    }
    this.transcript.add(answer);
    const turn = this.#turnOf(answer);
    this.#turns = [...this.#turns, turn].slice(-this.transcript.answers.length);
    this.#atEnd = true;
    this.#renderAll();
    this.#follow(turn);
    this.input.focus();
  }

  async #follow(turn) {
    const { answer } = turn;
    const following = (this.#following = new AbortController());
    this.#renderControls();
    try {
      if (!this.client) throw new ProblemError({ code: "setup", status: 0 });
      await this.client.follow(answer, this.#bodyOf(answer), {
        signal: following.signal,
        onLost: () => this.#show(turn, true),
        onEvent: (event) => {
          applyEvent(answer, event);
          this.#show(turn, false);
        },
      });
    } catch (error) {
      if (following.signal.aborted) return; // left, or begun anew: somebody else may follow now
      answer.state = "failed";
      answer.problem = error instanceof ProblemError ? error.problem : { code: "network" };
    }
    this.#following = null;
    turn.lost = false;
    turn.render(this.#say);
    this.transcript.save();
    this.#renderControls();
    this.#scroll();
    this.speech.textContent = spoken(turn, this.#say);
  }

  #bodyOf(answer) {
    const before = this.transcript.answers.slice(0, this.transcript.answers.indexOf(answer));
    const body = { question: answer.question, history: historyOf(before) };
    return this.knowledge.length ? { ...body, knowledge_base_ids: this.knowledge } : body;
  }

  /** Show what has come, at most once a frame; keep it four times a second. */
  #show(turn, lost) {
    turn.lost = lost;
    if (performance.now() - this.#saved > SAVE_MS) {
      this.#saved = performance.now();
      this.transcript.save();
    }
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      turn.render(this.#say);
      this.#scroll();
    });
  }

  async #stop() {
    const answer = this.#turns.at(-1)?.answer;
    if (!answer?.replyId) { // nothing is on its way that could be stopped there
      this.#following?.abort();
      this.#following = null;
      if (answer) answer.state = "cancelled";
      this.#renderAll();
      return;
    }
    this.action.disabled = true;
    try {
      await this.client.cancel(answer);
    } catch { // the stream goes on, and so does the button
    } finally {
      this.action.disabled = false;
    }
  }

  #clear() {
    const open = this.#turns.at(-1)?.answer;
    if (this.#following && open?.replyId) this.client?.cancel(open).catch(() => {});
    this.#following?.abort();
    this.#following = null;
    this.transcript.clear();
    this.#turns = [];
    this.#renderAll();
    this.input.focus();
  }

  #renderAll() {
    const say = this.#say;
    this.root.lang = say("language");
    this.heading.textContent = this.getAttribute("title") || say("title");
    this.root.setAttribute("aria-label", this.heading.textContent);
    this.log.setAttribute("aria-label", say("conversation"));
    this.renew.textContent = say("renew");
    this.input.placeholder = say("placeholder");
    this.input.setAttribute("aria-label", say("label"));
    this.note.textContent = say("note");
    for (const turn of this.#turns) turn.render(say);
    const empty = element("li", [say("empty")]);
    empty.className = "state";
    this.log.replaceChildren(...(this.#turns.length ? this.#turns.map((turn) => turn.node) : [empty]));
    this.#renderControls();
    this.#scroll();
  }

  #renderControls() {
    this.action.textContent = this.#say(this.#following ? "stop" : "send");
    this.renew.hidden = this.#turns.length === 0;
  }

  #scroll() {
    if (this.#atEnd) this.log.scrollTop = this.log.scrollHeight;
  }
}

/** The text of an answer for ears: what stands there, how it ended, and how many sources it has. */
function spoken(turn, say) {
  const count = turn.answer.citations.length;
  const end = turn.state.hidden ? "" : turn.state.firstChild?.textContent ?? "";
  return [say("answer"), turn.body.textContent, end, count ? say("sources", { count }) : ""].filter(Boolean).join("\n");
}

/** The API's address without a slash at its end; that of this script by default, "" for what is none. */
function readBaseUrl(given) {
  try {
    const url = new URL(given || new URL(".", import.meta.url).href, location.href);
    return url.protocol === "https:" || url.protocol === "http:" ? url.href.replace(/[?#].*$/, "").replace(/\/+$/, "") : "";
  } catch {
    return "";
  }
}

if (!customElements.get("claw-chat")) customElements.define("claw-chat", ClawChat);
