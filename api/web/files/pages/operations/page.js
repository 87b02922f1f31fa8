// What administrators and operators look after: a list of sections, and the one of the present path.
import { html, useEffect, useState } from "../../core/html.js";
import { useResource } from "../../core/resource.js";
import { place } from "../../core/router.js";
import { hasRole } from "../../core/session.js";
import { Loading } from "../../components/loading.js";
import { ProblemNote } from "../../components/problem_note.js";
import { SECTIONS, pathOf } from "./sections.js";
import { t } from "./words.js";

export default function OperationsPage() {
  const name = place.value.parts[1] || "health";
  const section = SECTIONS.find((each) => each.name === name && hasRole(each.role));
  return html`<div class="operations">
    ${hasRole("admin") &&
    html`<nav class="sections" aria-label=${t("sections")}>
      ${SECTIONS.filter((each) => hasRole(each.role)).map(
        (each) => html`<a key=${each.name} href=${pathOf(each.name)} aria-current=${each === section ? "page" : null}>${t(`section_${each.name.replace("-", "_")}`)}</a>`,
      )}
    </nav>`}
    ${section ? html`<${Section} key=${section.name} section=${section} />` : html`<main class="content"><h1>${t("not_here")}</h1><p>${t("not_here_text")}</p></main>`}
  </div>`;
}

function Section({ section }) {
  const module = useResource(() => section.load(), [section]);
  const [Component, setComponent] = useState(null);
  useEffect(() => {
    if (module.data) setComponent(() => module.data.default);
    document.title = `${t(`section_${section.name.replace("-", "_")}`)} · Claw`;
  }, [module.data]);
  if (module.problem) return html`<main class="content"><${ProblemNote} problem=${module.problem} retry=${module.reload} /></main>`;
  return html`<main class="content">${Component ? html`<${Component} />` : html`<${Loading} />`}</main>`;
}
