// What administrators and operators look after: a list of sections, and the one of the present path.
import { html, useEffect } from "../../core/html.js";
import { LazyComponent } from "../../core/lazy.js";
import { place } from "../../core/router.js";
import { hasRole } from "../../core/session.js";
import { language } from "../../core/words.js";
import { SECTIONS, pathOf } from "./sections.js";
import { t } from "./words.js";

export default function OperationsPage() {
  const name = place.value.parts[1] || "health";
  const section = SECTIONS.find((each) => each.name === name && hasRole(each.role));
  useEffect(() => {
    if (section) document.title = `${t(wordOf(section))} · Claw`;
  }, [section, language.value]);
  return html`<div class="operations">
    ${hasRole("admin") &&
    html`<nav class="sections" aria-label=${t("sections")}>
      ${SECTIONS.filter((each) => hasRole(each.role)).map(
        (each) => html`<a key=${each.name} href=${pathOf(each.name)} aria-current=${each === section ? "page" : null}>${t(wordOf(each))}</a>`,
      )}
    </nav>`}
    <main class="content">${section ? html`<${LazyComponent} key=${section.name} load=${section.load} />` : html`<h1>${t("not_here")}</h1><p>${t("not_here_text")}</p>`}</main>
  </div>`;
}

function wordOf(section) {
  return `section_${section.name.replace("-", "_")}`;
}
