// One question with its answer on the page: its text as it comes, its sources, and what became of it.

import { element, renderMarkdown } from "./markdown.js";
import { sentenceOf } from "./words.js";

export class Turn {
  /**
   * @param {import("./transcript.js").Answer} answer
   * @param {(answer: import("./transcript.js").Answer) => void} onRetry
   */
  constructor(answer, onRetry) {
    this.answer = answer;
    this.onRetry = onRetry;
    this.lost = false;
    this.opened = 0; // the marker whose card is shown; 0 for none
    this.opener = 0; // which of the chips opened it: several may have the same marker
    this.body = element("div");
    this.body.className = "body";
    this.card = element("div");
    this.state = element("div");
    this.asker = element("span");
    this.asker.className = "speech";
    this.question = element("p", [this.asker, answer.question]);
    this.question.className = "question";
    this.node = element("li", [this.question, this.body, this.card, this.state]);
    this.node.className = "turn";
    this.node.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.opened) {
        event.stopPropagation();
        this.#close();
      }
    });
  }

  /** @param {import("./words.js").Say} say */
  render(say) {
    this.say = say;
    this.asker.textContent = say("you");
    const focused = this.#chips().indexOf(this.node.getRootNode().activeElement);
    this.body.replaceChildren(renderMarkdown(this.answer.text, (marker) => this.#chip(marker)));
    if (focused >= 0) this.#chips()[focused]?.focus(); // the same chip, made anew with the text that has come
    this.#renderCard();
    this.#renderState();
  }

  #cited(marker) {
    return this.answer.citations.find((each) => each.marker === marker);
  }

  #chip(marker) {
    const citation = this.#cited(marker);
    if (!citation) return null;
    const chip = element("button", [String(marker)]);
    chip.type = "button";
    chip.className = "chip";
    chip.dataset.marker = String(marker);
    chip.setAttribute("aria-label", `${this.say("source", { marker })}: ${citation.title}`);
    chip.setAttribute("aria-expanded", String(this.opened === marker));
    chip.addEventListener("click", () => this.#open(marker, this.#chips().indexOf(chip)));
    return chip;
  }

  #chips() {
    return [...this.body.querySelectorAll(".chip")];
  }

  /** The card of the chip; a second time closes it. */
  #open(marker, opener) {
    if (this.opened === marker) {
      this.#close();
      return;
    }
    this.opened = marker;
    this.opener = opener;
    this.#showOpened();
    this.card.firstElementChild.focus();
  }

  #close() {
    this.opened = 0;
    this.#showOpened();
    this.#chips()[this.opener]?.focus();
  }

  #showOpened() {
    for (const chip of this.#chips()) chip.setAttribute("aria-expanded", String(Number(chip.dataset.marker) === this.opened));
    this.#renderCard();
  }

  #renderCard() {
    const citation = this.#cited(this.opened);
    if (!citation) {
      this.card.replaceChildren();
      return;
    }
    if (this.card.firstElementChild?.dataset.marker === String(this.opened)) return;
    const close = element("button", [this.say("close")]);
    close.type = "button";
    close.addEventListener("click", () => this.#close());
    const place = element("span", [citation.locator]);
    place.className = "place";
    const shown = element("div", [element("strong", [citation.title]), place, element("blockquote", [citation.quote]), close]);
    shown.className = "card";
    shown.tabIndex = -1;
    shown.dataset.marker = String(this.opened);
    shown.setAttribute("role", "group");
    shown.setAttribute("aria-label", this.say("source", { marker: this.opened }));
    this.card.replaceChildren(shown);
  }

  #renderState() {
    const { answer, say } = this;
    const said = stateText(answer, say, this.lost);
    this.state.className = answer.state === "failed" ? "state bad" : answer.state === "open" ? "state waits" : "state";
    this.state.replaceChildren(said);
    this.state.hidden = said === "";
    if (answer.state === "failed") {
      const retry = element("button", [say("retry")]);
      retry.type = "button";
      retry.addEventListener("click", () => this.onRetry(answer));
      this.state.append(retry);
    }
  }
}

function stateText(answer, say, lost) {
  switch (answer.state) {
    case "failed": return sentenceOf(say, answer.problem ?? { code: "" });
    case "cancelled": return say("stopped");
    case "complete": return "";
    default:
      if (lost) return say("lost");
      if (answer.text) return "";
      if (answer.queued) return say("queued", { count: answer.queued });
      return answer.passages ? say("found", { count: answer.passages }) : say("searching");
  }
}
