import { html } from "../../core/html.js";
import { call } from "../../core/http.js";
import { useResource } from "../../core/resource.js";
import { Button } from "../../components/button.js";
import { Loading } from "../../components/loading.js";
import { ProblemNote } from "../../components/problem_note.js";
import { t } from "./words.js";

/** Confirms the address of an account by the link in a mail. @param {{token: string, done: () => void}} props */
export function VerifyAddress({ token, done }) {
  const verified = useResource((signal) => call("POST", "/auth/verify/confirm", { body: { token }, signal, refresh: false }), [token]);
  if (verified.loading) return html`<${Loading} label=${t("verifying")} />`;
  if (verified.problem) return html`<${ProblemNote} problem=${verified.problem} />`;
  return html`<div class="stack"><p role="status">${t("verified")}</p><${Button} kind="primary" onClick=${done}>${t("go_on")}</${Button}></div>`;
}
