// Signing in and everything before it: registering, links of mails (verify an address, reset a password, accept an invitation).
import { html, useEffect } from "../../core/html.js";
import { navigate, place } from "../../core/router.js";
import { user } from "../../core/session.js";
import { appearanceItems } from "../../components/frame.js";
import { Logo } from "../../components/logo.js";
import { Menu } from "../../components/menu.js";
import { ErasureProgress } from "./erasure_progress.js";
import { RegisterForm } from "./register_form.js";
import { ResetForm, ResetRequestForm } from "./reset_forms.js";
import { SignInForm } from "./sign_in_form.js";
import { VerifyAddress } from "./verify_address.js";
import { t } from "./words.js";

/** The path to go to after signing in: one of our own, from the query of the address. */
export function nextPath(query) {
  const next = query.get("next") || "/";
  return /^\/(?![/\\])/.test(next) ? next : "/";
}

export default function SignInPage() {
  const { parts, query, fragment } = place.value;
  const token = fragment.get("token") || "";
  const done = () => navigate(nextPath(query), { replace: true });
  const isForStrangers = parts[0] === "sign-in" || parts[0] === "register";
  useEffect(() => {
    if (user.value && isForStrangers) done();
  }, [user.value, isForStrangers]);
  const form =
    parts[0] === "register" || parts[0] === "invitation"
      ? html`<${RegisterForm} invitation=${parts[0] === "invitation" ? token : ""} done=${done} />`
      : parts[0] === "erasure"
        ? html`<${ErasureProgress} id=${fragment.get("id") || ""} />`
        : parts[0] === "verify-email"
        ? html`<${VerifyAddress} token=${token} done=${done} />`
        : parts[0] === "reset-password"
          ? token
            ? html`<${ResetForm} token=${token} />`
            : html`<${ResetRequestForm} />`
          : html`<${SignInForm} done=${done} next=${nextPath(query)} />`;
  return html`<main class="centre sign-in">
    <div class="card">
      <header class="row"><h1 class="stretch"><${Logo} />Claw</h1><${Menu} icon="settings" label=${t("appearance")} items=${appearanceItems()} /></header>
      <p class="minor">${t("slogan")}</p>
      ${form}
    </div>
  </main>`;
}
