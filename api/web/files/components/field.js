import { html, useId } from "../core/html.js";

/**
 * A labelled input with its hint and the error of its field.
 * @param {{label: string, hint?: string, error?: string, kind?: "input" | "textarea" | "select", children?: any}} props all others go to the input
 */
export function Field({ label, hint, error, kind = "input", children, ...rest }) {
  const id = useId();
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ") || null;
  const common = { id, "aria-describedby": described, "aria-invalid": error ? "true" : null, ...rest };
  return html`<div class="field">
    <label for=${id}>${label}</label>
    ${kind === "textarea" ? html`<textarea ...${common}></textarea>` : kind === "select" ? html`<select ...${common}>${children}</select>` : html`<input ...${common} />`}
    ${hint && html`<p class="minor" id=${`${id}-hint`}>${hint}</p>`}
    ${error && html`<p class="field-error" id=${`${id}-error`}>${error}</p>`}
  </div>`;
}

/** The message about a field in the problem of a form, or "". @param {any} problem @param {string} name such as "email" */
export function errorOf(problem, name) {
  return problem?.errors?.find((error) => error.field === name)?.detail || "";
}
