import { html } from "../../core/html.js";

/**
 * One number with its unit and what it is of.
 * @param {{label: string, value: any, unit?: string, of: string, state?: "" | "good" | "warning" | "danger"}} props `of`: its window or source
 */
export function Figure({ label, value, unit, of, state = "" }) {
  return html`<div class=${`figure ${state}`}>
    <dt>${label}</dt>
    <dd><strong>${value ?? "–"}</strong>${value !== null && value !== undefined && unit ? html` <span>${unit}</span>` : null}</dd>
    <dd class="minor">${of}</dd>
  </div>`;
}

/** A row of figures. */
export function Figures({ children }) {
  return html`<dl class="figures">${children}</dl>`;
}
