import { html, useState } from "../../core/html.js";
import { call } from "../../core/http.js";
import { useAct, useResource } from "../../core/resource.js";
import { signIn } from "../../core/session.js";
import { Button } from "../../components/button.js";
import { Field } from "../../components/field.js";
import { ProblemNote } from "../../components/problem_note.js";
import { t } from "./words.js";

/** @param {{done: () => void}} props */
export function SignInForm({ done }) {
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const entry = useAct(async () => {
    await signIn(email, password);
    done();
  });
  return html`<form onSubmit=${(event) => (event.preventDefault(), entry.run())}>
    <h2>${t("sign_in")}</h2>
    <${Field} label=${t("email")} name="email" type="email" autocomplete="username" required value=${email} onInput=${(event) => setEmail(event.target.value)} />
    <${Field} label=${t("password")} name="password" type="password" autocomplete="current-password" required value=${password} onInput=${(event) => setPassword(event.target.value)} />
    <${ProblemNote} problem=${entry.problem} />
    <${Button} kind="primary" type="submit" busy=${entry.busy}>${t("sign_in")}</${Button}>
    <${OtherWays} />
    <p class="row wrap"><a href=${`/register${location.search}`}>${t("no_account")} ${t("register")}</a><span class="stretch"></span><a href="/reset-password">${t("forgot")}</a></p>
  </form>`;
}

/** Signing in at the identity provider of the installation, where it has one. */
function OtherWays() {
  const providers = useResource((signal) => call("GET", "/auth/oidc", { signal, refresh: false }), []);
  return (providers.data?.items ?? []).map(
    (provider) => html`<a key=${provider.name} class="button" href=${`/api/v1/auth/oidc/${encodeURIComponent(provider.name)}`}>${provider.title}</a>`,
  );
}
