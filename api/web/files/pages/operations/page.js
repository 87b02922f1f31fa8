import { html } from "../../core/html.js";

export default function Page() {
  return html`<main class="content"><h1>operations</h1></main>`;
}
