import { html, useEffect, useRef, useState } from "../../core/html.js";
import { formatNumber } from "../../core/words.js";
import { announce } from "../../components/announcer.js";
import { Button } from "../../components/button.js";
import { Dialog } from "../../components/dialog.js";
import { t as common } from "../../components/words.js";
import { runMany } from "./many.js";
import { deleteDocument, reprocessDocument } from "./requests.js";
import { t } from "./words.js";

const ACTS = { delete: deleteDocument, reprocess: reprocessDocument };

/**
 * Asks, then does one thing with many documents, and says what became of it.
 * @param {{base: object, act: "delete" | "reprocess", rows: object[], close: () => void, done: () => void}} props
 */
export function BulkDialog({ base, act, rows, close, done }) {
  const [state, setState] = useState({ phase: "asking", ended: 0, causes: [] });
  const stop = useRef(new AbortController());
  useEffect(() => () => stop.current.abort(), []);
  const count = formatNumber(rows.length);
  const title = rows[0].title || rows[0].document_id;
  const run = async () => {
    setState({ phase: "running", ended: 0, causes: [] });
    const causes = await runMany(
      rows,
      (row) => ACTS[act](base.id, row.document_id),
      (ended) => setState((before) => ({ ...before, ended })),
      stop.current.signal,
    );
    done();
    const failed = causes.reduce((sum, cause) => sum + cause.count, 0);
    announce(t(`${act}_ended`, { count: formatNumber(rows.length - failed) }));
    if (causes.length) setState({ phase: "ended", ended: rows.length, causes });
    else close();
  };
  const question = rows.length === 1 ? t(`${act}_one_text`, { title }) : t(`${act}_many_text`, { count });
  const actions =
    state.phase === "ended"
      ? html`<${Button} kind="primary" onClick=${close}>${common("close")}</${Button}>`
      : html`<${Button} onClick=${close}>${common("cancel")}</${Button}><${Button} kind=${act === "delete" ? "danger" : "primary"} busy=${state.phase === "running"} onClick=${run}>${t(act)}</${Button}>`;
  return html`<${Dialog} title=${t(`${act}_documents`)} close=${close} actions=${actions}>
    ${state.phase === "asking" && html`<p>${question}</p>`}
    ${state.phase === "running" && html`<p class="row"><progress max=${rows.length} value=${state.ended} aria-label=${t(act)}></progress><span class="amount">${formatNumber(state.ended)} / ${count}</span></p>`}
    ${state.phase === "ended" && html`<div role="alert" class="stack">
      <p>${t(`${act}_ended`, { count: formatNumber(rows.length - state.causes.reduce((sum, cause) => sum + cause.count, 0)) })}</p>
      <ul class="causes">${state.causes.map((cause) => html`<li key=${cause.code}><strong>${formatNumber(cause.count)} × ${cause.title}</strong> <span class="minor">${cause.remedy} ${cause.names.join(", ")}</span></li>`)}</ul>
    </div>`}
  </${Dialog}>`;
}
