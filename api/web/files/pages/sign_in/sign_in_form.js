import { html, useState } from "../../core/html.js";
import { call, query } from "../../core/http.js";
import { useAct, useResource } from "../../core/resource.js";
import { place } from "../../core/router.js";
import { signIn } from "../../core/session.js";
import { Button } from "../../components/button.js";
import { Field } from "../../components/field.js";
import { ProblemNote } from "../../components/problem_note.js";
import { t } from "./words.js";

/** @param {{done: () => void, next: string}} props `next`: the path to come to after a login elsewhere */
export function SignInForm({ done, next }) {
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const entry = useAct(async () => {
    await signIn(email, password);
    done();
  });
  return html`<form onSubmit=${(event) => (event.preventDefault(), entry.run())}>
    <h2>${t("sign_in")}</h2>
    <${FailedLogin} code=${place.value.query.get("problem")} />
    <${Field} label=${t("email")} name="email" type="email" autocomplete="username" required value=${email} onInput=${(event) => setEmail(event.target.value)} />
    <${Field} label=${t("password")} name="password" type="password" autocomplete="current-password" required value=${password} onInput=${(event) => setPassword(event.target.value)} />
    <${ProblemNote} problem=${entry.problem} />
    <${Button} kind="primary" type="submit" busy=${entry.busy}>${t("sign_in")}</${Button}>
    <${OtherWays} next=${next} />
    <p class="row wrap"><a href=${`/register${location.search}`}>${t("no_account")} ${t("register")}</a><span class="stretch"></span><a href="/reset-password">${t("forgot")}</a></p>
  </form>`;
}

/** Signing in at the identity provider of the installation, where it has one. */
function OtherWays({ next }) {
  const providers = useResource((signal) => call("GET", "/auth/oidc", { signal, refresh: false }), []);
  const items = providers.data?.items ?? [];
  const back = query({ return_to: next });
  return items.length > 0 && html`<div class="other-ways">
    <p class="or"><span>${t("or")}</span></p>
    ${items.map((provider) => html`<a key=${provider.name} class="button" href=${`/api/v1/auth/oidc/${encodeURIComponent(provider.name)}${back}`}>${t("sign_in_with", { title: provider.title })}</a>`)}
  </div>`;
}

const LOGIN_PROBLEMS = ["oidc_refused", "oidc_state_invalid", "oidc_email_missing", "oidc_email_taken", "oidc_unavailable", "registration_closed", "email_domain_refused", "unauthenticated"];

/** Why a login at the identity provider ended here instead. The address has only a code: nobody else's sentences are shown. */
function FailedLogin({ code }) {
  if (!code) return null;
  return html`<div class="problem" role="alert"><strong>${t("login_failed")}</strong><p>${t(LOGIN_PROBLEMS.includes(code) ? code : "login_failed_other")}</p></div>`;
}
