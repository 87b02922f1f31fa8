import { html, useState } from "../../../core/html.js";
import { call, callTagged, newKey } from "../../../core/http.js";
import { useAct, useResource } from "../../../core/resource.js";
import { formatTime } from "../../../core/words.js";
import { Button } from "../../../components/button.js";
import { Loading } from "../../../components/loading.js";
import { ProblemNote } from "../../../components/problem_note.js";
import { ListingEnd, useListing } from "../../../components/listing.js";
import { Table } from "../table.js";
import { t } from "../words.js";
import { diffValues } from "./value_text.js";
import { Value } from "./configuration.js";

/** The revisions of a key; each compared with the present one, and brought back. */
export function History({ path, item, etag, written }) {
  const listing = useListing(`${path}/history`, { revision: undefined, now: undefined }, 10);
  const [compared, setCompared] = useState(null);
  const back = useAct(async (revision) => {
    written(await callTagged("POST", `${path}/rollback`, { body: { revision, reason: t("rolled_back_to", { revision }) }, ifMatch: etag, key: newKey() }));
    listing.reload();
  });
  useReloadOn(item.revision, listing.reload);
  const columns = [
    { name: "revision", label: t("revision"), kind: "number", show: (each) => each.revision },
    { name: "value", label: t("value"), show: (each) => (each.is_set ? html`<${Value} item=${{ ...each, sensitive: item.sensitive }} />` : t("layer_default")) },
    { name: "changed", label: t("changed"), kind: "time", show: (each) => formatTime(each.changed_at) },
    { name: "reason", label: t("reason"), kind: "wide", show: (each) => html`<div>${each.reason}<div class="minor">${each.changed_by}</div></div>` },
    { name: "acts", label: "", kind: "acts", show: (each) => each.revision !== item.revision && html`<${Button} kind="quiet" onClick=${() => setCompared(each.revision)}>${t("compare")}</${Button}> <${Button} disabled=${back.busy || Boolean(item.stage)} onClick=${() => back.run(each.revision)}>${t("roll_back")}</${Button}>` },
  ];
  return html`<section class="stack" aria-label=${t("history")}>
    <h3>${t("history")}</h3>
    ${listing.items.length > 0 && html`<${Table} label=${t("history")} columns=${columns} rows=${listing.items} keyOf=${(each) => String(each.revision)} />`}
    <${ListingEnd} listing=${listing} empty=${t("never_changed")} />
    <${ProblemNote} problem=${back.problem} />
    ${compared !== null && html`<${Comparison} key=${`${compared} ${item.revision}`} path=${path} before=${compared} after=${item.revision} />`}
  </section>`;
}

/** Loads again when a number has changed since it was loaded. */
function useReloadOn(revision, reload) {
  const [seen, setSeen] = useState(revision);
  if (seen !== revision) {
    setSeen(revision);
    reload();
  }
}

function Comparison({ path, before, after }) {
  const diff = useResource((signal) => call("GET", `${path}/diff?from=${before}&to=${after}`, { signal }), []);
  if (!diff.data) return diff.problem ? html`<${ProblemNote} problem=${diff.problem} />` : html`<${Loading} />`;
  const sides = diff.data;
  const sideText = (side) => (side.fingerprint ? side.fingerprint : side.value);
  return html`<div class="stack"><h3>${t("difference", { before, after })}</h3><${Difference} before=${sideText(sides.before)} after=${sideText(sides.after)} /></div>`;
}

/** Two values line by line; what only one of them has is marked by a sign and a colour. */
export function Difference({ before, after }) {
  return html`<pre class="difference" tabindex="0">${diffValues(before, after).map(([mark, line], index) => html`<span key=${index} class=${{ "-": "removed", "+": "added", " ": "" }[mark]}>${mark} ${line}${"\n"}</span>`)}</pre>`;
}
