import { html, useState } from "../../core/html.js";
import { navigate } from "../../core/router.js";
import { user } from "../../core/session.js";
import { formatNumber, formatTime } from "../../core/words.js";
import { Button } from "../../components/button.js";
import { Icon } from "../../components/icon.js";
import { Loading } from "../../components/loading.js";
import { ProblemNote } from "../../components/problem_note.js";
import { t as common } from "../../components/words.js";
import { BaseDialog } from "./base_dialogs.js";
import { usePages } from "../../core/paging.js";
import { listBases } from "./requests.js";
import { t } from "./words.js";

/** The knowledge bases that one owns, then those that others share. */
export function BasesView() {
  const pages = usePages(listBases, (base) => base.id, []);
  const [isCreating, setCreating] = useState(false);
  const isOwn = (base) => base.owner_id === user.value.id;
  const own = (pages.items ?? []).filter(isOwn);
  const shared = (pages.items ?? []).filter((base) => !isOwn(base));
  return html`
    <header class="heading">
      <div class="stretch"><h1>${t("title")}</h1><p class="minor">${t("lead")}</p></div>
      <${Button} kind="primary" icon="add" onClick=${() => setCreating(true)}>${t("create")}</${Button}>
    </header>
    <${ProblemNote} problem=${pages.problem} retry=${pages.renew} />
    ${pages.items === null && !pages.problem && html`<${Loading} />`}
    ${pages.items && own.length === 0 && html`<${NoBases} create=${() => setCreating(true)} />`}
    ${own.length > 0 && html`<ul class="bases" aria-label=${t("own")}>${own.map((base) => html`<${Card} key=${base.id} base=${base} />`)}</ul>`}
    ${shared.length > 0 && html`<section class="stack"><h2>${t("shared_with_you")}</h2><ul class="bases" aria-label=${t("shared_with_you")}>${shared.map((base) => html`<${Card} key=${base.id} base=${base} isForeign />`)}</ul></section>`}
    ${pages.hasMore && html`<div><${Button} busy=${pages.loading} onClick=${pages.more}>${common("more")}</${Button}></div>`}
    ${isCreating && html`<${BaseDialog} close=${() => setCreating(false)} done=${(base) => navigate(`/knowledge/${base.id}`)} />`}
  `;
}

function Card({ base, isForeign = false }) {
  return html`<li class="card base">
    <h3><a href=${`/knowledge/${base.id}`}><bdi>${base.name}</bdi></a></h3>
    ${base.description && html`<p class="minor clamp">${base.description}</p>`}
    <p class="row wrap minor facts">
      ${base.documents !== null && base.documents !== undefined && html`<span class="row"><${Icon} name="document" />${t("documents_count", { count: formatNumber(base.documents) })}</span>`}
      ${!isForeign && base.sharing === "tenant" && html`<span class="badge">${t("sharing_tenant")}</span>`}
      ${isForeign && html`<span class="badge">${t("read_only")}</span>`}
      <span>${t("changed_at", { when: formatTime(base.updated_at) })}</span>
    </p>
  </li>`;
}

function NoBases({ create }) {
  return html`<div class="card empty">
    <${Icon} name="book" />
    <h2>${t("no_bases")}</h2>
    <p class="minor">${t("no_bases_text")}</p>
    <${Button} icon="add" onClick=${create}>${t("create")}</${Button}>
  </div>`;
}
