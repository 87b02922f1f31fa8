import { html } from "../../core/html.js";
import { t } from "./words.js";

/**
 * A table that becomes a list of cards on a narrow screen.
 * @param {{label: string, columns: {name: string, label: string, kind?: "number" | "acts" | "wide", show: (row: any) => any}[], rows: any[],
 *   keyOf: (row: any) => string}} props `label` names it for screen readers; the first column is the head of a row. A column
 *   without a label has one for them, too: the word of its name
 */
export function Table({ label, columns, rows, keyOf }) {
  return html`<div class="table-box" role="region" aria-label=${label} tabindex="0">
    <table role="table" class="cards" aria-label=${label}>
      <thead role="rowgroup"><tr role="row">${columns.map((column) => html`<th key=${column.name} role="columnheader" scope="col" class=${column.kind}>${column.label || html`<span class="unseen">${t(column.name)}</span>`}</th>`)}</tr></thead>
      <tbody role="rowgroup">${rows.map(
        (row) => html`<tr key=${keyOf(row)} role="row">${columns.map(
          (column) => html`<td key=${column.name} role="cell" class=${column.kind} data-label=${column.label}>${column.show(row)}</td>`,
        )}</tr>`,
      )}</tbody>
    </table>
  </div>`;
}
