import { html, useState } from "../../core/html.js";
import { call } from "../../core/http.js";
import { useAct } from "../../core/resource.js";
import { navigate } from "../../core/router.js";
import { forgetSession, user } from "../../core/session.js";
import { Button } from "../../components/button.js";
import { Field } from "../../components/field.js";
import { ProblemNote } from "../../components/problem_note.js";
import { t } from "./words.js";

/**
 * Confirms an erasure by typing what is erased, and by the password; then shows how far it is.
 * @param {{path: string, body?: object, named: string, label: string, act: string}} props `path` and more of the `body` of the request;
 *   `named`: what is to be typed
 */
export function ErasureForm({ path, body = {}, named, label, act }) {
  const [password, setPassword] = useState("");
  const [typed, setTyped] = useState("");
  const isNamed = named !== "" && typed.trim().toLowerCase() === named.toLowerCase();
  const erase = useAct(async () => {
    const erasure = await call("POST", path, { body: { ...body, ...(password ? { password } : { confirmation: user.value.email }) } });
    navigate(`/erasure#id=${erasure.id}`, { replace: true }); // that page needs no session: this one ends with what is erased
    forgetSession();
  });
  return html`<form class="stack narrow" onSubmit=${(event) => (event.preventDefault(), erase.run())}>
    <${Field} label=${label} name="named" autocomplete="off" required placeholder=${named} value=${typed} onInput=${(event) => setTyped(event.target.value)} />
    <${Field} label=${t("password")} name="password" type="password" autocomplete="current-password" hint=${t("erase_password_hint")} value=${password} onInput=${(event) => setPassword(event.target.value)} />
    <${ProblemNote} problem=${erase.problem} />
    <div><${Button} kind="danger" type="submit" disabled=${!isNamed} busy=${erase.busy}>${act}</${Button}></div>
  </form>`;
}
