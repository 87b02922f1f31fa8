import { html } from "../../core/html.js";

export default function Page() {
  return html`<main class="content"><h1>account</h1></main>`;
}
