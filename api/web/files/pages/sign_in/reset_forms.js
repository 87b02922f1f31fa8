import { html, useState } from "../../core/html.js";
import { call } from "../../core/http.js";
import { useAct } from "../../core/resource.js";
import { navigate } from "../../core/router.js";
import { Button } from "../../components/button.js";
import { Field, errorOf } from "../../components/field.js";
import { ProblemNote } from "../../components/problem_note.js";
import { showToast } from "../../components/toasts.js";
import { t } from "./words.js";

/** Asks for the mail with the link. */
export function ResetRequestForm() {
  const [email, setEmail] = useState("");
  const [isSent, setSent] = useState(false);
  const request = useAct(async () => {
    await call("POST", "/auth/reset", { body: { email }, refresh: false });
    setSent(true);
  });
  if (isSent) return html`<p role="status">${t("reset_sent")}</p>`;
  return html`<form onSubmit=${(event) => (event.preventDefault(), request.run())}>
    <h2>${t("reset")}</h2>
    <${Field} label=${t("email")} type="email" autocomplete="username" required value=${email} onInput=${(event) => setEmail(event.target.value)} />
    <${ProblemNote} problem=${request.problem} />
    <${Button} kind="primary" type="submit" busy=${request.busy}>${t("reset_send")}</${Button}>
    <p><a href="/sign-in">${t("sign_in")}</a></p>
  </form>`;
}

/** Sets a new password by the link. @param {{token: string}} props */
export function ResetForm({ token }) {
  const [password, setPassword] = useState("");
  const change = useAct(async () => {
    await call("POST", "/auth/reset/confirm", { body: { token, password }, refresh: false });
    showToast(t("reset_done"));
    navigate("/sign-in", { replace: true });
  });
  return html`<form onSubmit=${(event) => (event.preventDefault(), change.run())}>
    <h2>${t("reset")}</h2>
    <${Field} label=${t("new_password")} type="password" autocomplete="new-password" required minlength="8" hint=${t("password_hint")} error=${errorOf(change.problem, "password")} value=${password} onInput=${(event) => setPassword(event.target.value)} />
    <${ProblemNote} problem=${change.problem} />
    <${Button} kind="primary" type="submit" busy=${change.busy}>${t("reset")}</${Button}>
  </form>`;
}
