import { html, useEffect, useState } from "../../../core/html.js";
import { call, newKey } from "../../../core/http.js";
import { useAct } from "../../../core/resource.js";
import { navigate } from "../../../core/router.js";
import { formatNumber } from "../../../core/words.js";
import { Button } from "../../../components/button.js";
import { Dialog } from "../../../components/dialog.js";
import { Field } from "../../../components/field.js";
import { ProblemNote } from "../../../components/problem_note.js";
import { pathOf } from "../sections.js";
import { t } from "../words.js";

// what can be done with many at once, as POST /tasks/bulk takes it
const KINDS = {
  cancel: ["generate_ai_response", "vectorize_document", "rebuild", "redrive", "clean_up", "health_check"],
  retry: ["vectorize_document", "update_knowledge_base", "rebuild"],
  redrive: [],
};
const STATES = { cancel: ["PENDING", "STARTED", "RETRY"], retry: ["FAILURE", "CANCELLED"], redrive: [] };

/** Cancels, retries or redrives everything that matches: counted first, then done as a task. @param {{close: () => void}} props */
export function BulkDialog({ close }) {
  const [wanted, setWanted] = useState({ action: "retry", kind: "", state: "" });
  const [matched, setMatched] = useState(null);
  const body = { action: wanted.action, kind: wanted.kind || null, state: wanted.state || null };
  useEffect(() => setMatched(null), [wanted]);
  const count = useAct(async () => setMatched(await call("POST", "/tasks/bulk", { body: { ...body, dry_run: true }, key: newKey() })));
  const start = useAct(async () => {
    const { task } = await call("POST", "/tasks/bulk", { body, key: newKey() });
    navigate(pathOf("tasks", task.id));
    close();
  });
  const select = (name, options, word) => html`<${Field} label=${t(name)} kind="select" value=${wanted[name]} onChange=${(event) => setWanted({ ...wanted, [name]: event.target.value, ...(name === "action" ? { kind: "", state: "" } : {}) })}>
    ${name !== "action" && html`<option value="">${t("all")}</option>`}${options.map((option) => html`<option key=${option} value=${option}>${t(`${word}_${option}`)}</option>`)}
  </${Field}>`;
  const actions = html`<${Button} busy=${count.busy} onClick=${count.run}>${t("count_first")}</${Button}>
    <${Button} kind=${wanted.action === "cancel" ? "danger" : "primary"} disabled=${!matched?.matched} busy=${start.busy} onClick=${start.run}>${t(`bulk_${wanted.action}`)}</${Button}>`;
  return html`<${Dialog} title=${t("bulk")} close=${close} actions=${actions}>
    <p class="minor">${t("bulk_text")}</p>
    ${select("action", Object.keys(KINDS), "bulk")}
    ${KINDS[wanted.action].length > 0 && select("kind", KINDS[wanted.action], "kind")}
    ${STATES[wanted.action].length > 0 && select("state", STATES[wanted.action], "task")}
    ${matched && html`<p class="notice" role="status">${t(matched.complete ? "matched" : "matched_at_least", { count: formatNumber(matched.matched) })}</p>`}
    <${ProblemNote} problem=${count.problem || start.problem} />
  </${Dialog}>`;
}
