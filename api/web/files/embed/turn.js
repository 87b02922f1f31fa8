/** One question with its answer on the page: its text as it comes, its sources, and what became of it. */

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
    this.opened = 0;  // the marker whose card is shown; 0 for none
    this.body = element("div");
    this.body.className = "body";
    this.card = element("div");
    this.state = element("div");
    this.question = element("p", [answer.question]);
    this.question.className = "question";
    this.node = element("li", [this.question, this.body, this.card, this.state]);
    this.node.className = "turn";
    this.node.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.opened) {
        event.stopPropagation();
        this.#toggle(this.opened);
      }
    });
  }

  /** @param {typeof import("./words.js").WORDS.zh} words */
  render(words) {
    this.words = words;
    this.question.setAttribute("aria-label", `${words.you}: ${this.answer.question}`);
    const focused = this.node.getRootNode().activeElement?.dataset?.marker;
    this.body.replaceChildren(renderMarkdown(this.answer.text, (marker) => this.#chip(marker)));
    if (focused) this.#focusChip(focused);
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
    chip.setAttribute("aria-label", `${this.words.source(marker)}: ${citation.title}`);
    chip.setAttribute("aria-expanded", String(this.opened === marker));
    chip.addEventListener("click", () => this.#toggle(marker));
    return chip;
  }

  #toggle(marker) {
    const closes = this.opened === marker;
    this.opened = closes ? 0 : marker;
    for (const chip of this.body.querySelectorAll(".chip")) {
      chip.setAttribute("aria-expanded", String(Number(chip.dataset.marker) === this.opened));
    }
    this.#renderCard();
    if (closes) this.#focusChip(marker);
    else this.card.firstElementChild?.focus();
  }

  #focusChip(marker) {
    this.body.querySelector(`.chip[data-marker="${Number(marker)}"]`)?.focus();
  }

  #renderCard() {
    const citation = this.#cited(this.opened);
    if (!citation) {
      this.card.replaceChildren();
      return;
    }
    if (this.card.firstElementChild?.dataset.marker === String(this.opened)) return;
    const close = element("button", [this.words.close]);
    close.type = "button";
    close.addEventListener("click", () => this.#toggle(this.opened));
    const place = element("span", [citation.locator]);
    place.className = "place";
    const shown = element("div", [element("strong", [citation.title]), place, element("blockquote", [citation.quote]), close]);
    shown.className = "card";
    shown.tabIndex = -1;
    shown.dataset.marker = String(this.opened);
    shown.setAttribute("role", "group");
    shown.setAttribute("aria-label", this.words.source(this.opened));
    this.card.replaceChildren(shown);
  }

  #renderState() {
    const { answer, words } = this;
    const said = stateText(answer, words, this.lost);
    this.state.className = answer.state === "failed" ? "state bad" : answer.state === "open" ? "state waits" : "state";
    this.state.replaceChildren(said);
    this.state.hidden = said === "";
    if (answer.state === "failed") {
      const retry = element("button", [words.retry]);
      retry.type = "button";
      retry.addEventListener("click", () => this.onRetry(answer));
      this.state.append(retry);
    }
  }
}

function stateText(answer, words, lost) {
  switch (answer.state) {
    case "failed": return sentenceOf(words, answer.problem ?? { code: "" });
    case "cancelled": return words.stopped;
    case "complete": return "";
    default:
      if (lost) return words.lost;
      if (answer.text) return "";
      if (answer.queued) return words.queued(answer.queued);
      return answer.passages ? words.found(answer.passages) : words.searching;
  }
}
