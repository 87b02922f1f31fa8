// The mark of the product, the same drawing as design/icon.svg: drawn here, for emoji fonts are missing on many machines.
import { html } from "../core/html.js";

/** Decoration: its name stands beside it, or on the link around it. */
export function Logo() {
  return html`<svg class="logo" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
    <rect width="32" height="32" rx="8" /><path d="M9 22c0-7 2-12 5-14M14 24c0-7 2-12 5-15M19 24c0-6 1-9 4-12" />
  </svg>`;
}
