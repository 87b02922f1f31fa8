import { html } from "../core/html.js";
import { Icon } from "./icon.js";

/**
 * A button. With an icon and no children `label` is its name and tooltip.
 * @param {{kind?: "primary" | "plain" | "quiet" | "danger", icon?: string, label?: string, busy?: boolean, onClick?: (event: Event) => void}} props
 */
export function Button({ kind = "plain", icon, label, busy = false, children, ...rest }) {
  const bare = icon && !children;
  return html`<button type="button" class=${`button ${kind}${bare ? " bare" : ""}`} aria-label=${bare ? label : null} title=${bare ? label : null} aria-busy=${busy ? "true" : null} ...${rest} disabled=${busy || rest.disabled}>
    ${icon && html`<${Icon} name=${icon} />`}${children && html`<span>${children}</span>`}
  </button>`;
}
