// How far an erasure is, without a session: the account that could sign in for it is gone.
import { html, useEffect } from "../../core/html.js";
import { call } from "../../core/http.js";
import { useResource } from "../../core/resource.js";
import { formatNumber, formatTime } from "../../core/words.js";
import { Loading } from "../../components/loading.js";
import { ProblemNote } from "../../components/problem_note.js";
import { t } from "./words.js";

const LOOK_AGAIN_MS = 3000;

/** @param {{id: string}} props the id of the erasure, which is what allows one to see it */
export function ErasureProgress({ id }) {
  const erasure = useResource((signal) => call("GET", `/erasures/${encodeURIComponent(id)}`, { signal, refresh: false }), [id]);
  const isUnderWay = ["accepted", "erasing"].includes(erasure.data?.state);
  useEffect(() => {
    if (!isUnderWay) return undefined;
    const timer = setInterval(erasure.reload, LOOK_AGAIN_MS);
    return () => clearInterval(timer);
  }, [isUnderWay]);
  if (erasure.problem && !erasure.data) return html`<${ProblemNote} problem=${erasure.problem} retry=${erasure.reload} />`;
  if (!erasure.data) return html`<${Loading} />`;
  const { state, removed, rounds, checked_at, final_by, certificate, created_at } = erasure.data;
  return html`<div class="stack">
    <h2>${t("erasure")}</h2>
    <p role="status">${isUnderWay && html`<span class="spinner" aria-hidden="true"></span> `}<strong>${t(`erasure_${state}`)}</strong></p>
    <dl class="facts">
      <dt>${t("erasure_begun")}</dt><dd>${formatTime(created_at)}</dd>
      <dt>${t("erasure_removed")}</dt><dd>${formatNumber(removed)}</dd>
      <dt>${t("erasure_rounds")}</dt><dd>${formatNumber(rounds)}</dd>
      ${checked_at && html`<dt>${t("erasure_checked")}</dt><dd>${formatTime(checked_at)}</dd>`}
      ${final_by && html`<dt>${t("erasure_final_by")}</dt><dd>${formatTime(final_by)}</dd>`}
    </dl>
    ${certificate && html`<a class="button" href=${`/api/v1/erasures/${encodeURIComponent(id)}`} download=${`erasure-${id}.json`}>${t("erasure_certificate")}</a>`}
    <p class="minor">${t("erasure_keep")}</p>
  </div>`;
}
