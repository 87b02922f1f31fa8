import { html } from "../core/html.js";
import { t } from "./words.js";

/** What is shown while something is loaded; it says so after a moment, so that quick loads do not flicker. */
export function Loading({ label }) {
  return html`<p class="loading" role="status"><span class="spinner" aria-hidden="true"></span>${label || t("loading")}</p>`;
}
