import { html, useRef, useState } from "../../core/html.js";
import { call, newKey } from "../../core/http.js";
import { useAct, useResource } from "../../core/resource.js";
import { register } from "../../core/session.js";
import { Button } from "../../components/button.js";
import { Field, errorOf } from "../../components/field.js";
import { ProblemNote } from "../../components/problem_note.js";
import { t } from "./words.js";

/** @param {{invitation: string, done: () => void}} props `invitation`: the token of its link, "" without one */
export function RegisterForm({ invitation, done }) {
  const [values, setValues] = useState({ email: "", name: "", password: "" });
  const key = useRef({ key: newKey(), values });
  const settings = useResource((signal) => call("GET", "/configs/public", { signal, refresh: false }), []);
  const registration = settings.data?.values["auth.registration"] ?? "open";
  const entry = useAct(async () => {
    if (key.current.values !== values) key.current = { key: newKey(), values }; // another account is another act
    await register({ ...values, ...(invitation ? { invitation } : {}) }, key.current.key);
    done();
  });
  const input = (name) => ({ name, value: values[name], error: errorOf(entry.problem, name), onInput: (event) => setValues({ ...values, [name]: event.target.value }) });
  if (registration !== "open" && !invitation) {
    return html`<div class="stack"><p>${t(registration === "closed" ? "closed" : "by_invitation")}</p><a href="/sign-in">${t("sign_in")}</a></div>`;
  }
  return html`<form onSubmit=${(event) => (event.preventDefault(), entry.run())}>
    <h2>${t(invitation ? "invitation" : "register")}</h2>
    ${invitation && html`<p>${t("invitation_text")}</p>`}
    <${Field} label=${t("email")} type="email" autocomplete="username" required ...${input("email")} />
    <${Field} label=${t("name")} autocomplete="name" ...${input("name")} />
    <${Field} label=${t("password")} type="password" autocomplete="new-password" required minlength="8" hint=${t("password_hint")} ...${input("password")} />
    <${ProblemNote} problem=${entry.problem} />
    <${Button} kind="primary" type="submit" busy=${entry.busy}>${t("register")}</${Button}>
    <p><a href=${`/sign-in${location.search}`}>${t("has_account")} ${t("sign_in")}</a></p>
  </form>`;
}
