// Erasing the account: what goes, and the confirmation by the password.
import { html, useState } from "../../core/html.js";
import { call } from "../../core/http.js";
import { useAct } from "../../core/resource.js";
import { navigate } from "../../core/router.js";
import { forgetSession, user } from "../../core/session.js";
import { Button } from "../../components/button.js";
import { Field } from "../../components/field.js";
import { ProblemNote } from "../../components/problem_note.js";
import { Panel } from "./panel.js";
import { t } from "./words.js";

export default function EraseAccount() {
  const [password, setPassword] = useState("");
  const [address, setAddress] = useState("");
  const isNamed = address.trim().toLowerCase() === user.value?.email.toLowerCase();
  const erase = useAct(async () => {
    const erasure = await call("POST", "/users/me/erasure", { body: password ? { password } : { confirmation: address.trim() } });
    navigate(`/erasure#id=${erasure.id}`, { replace: true }); // that page needs no session: this one has just ended
    forgetSession();
  });
  return html`<h1>${t("erase")}</h1>
    <${Panel} title=${t("erase_title")} text=${t("erase_text")}>
      <ul class="bullets"><li>${t("erase_what_1")}</li><li>${t("erase_what_2")}</li><li>${t("erase_what_3")}</li></ul>
      <form class="stack narrow" onSubmit=${(event) => (event.preventDefault(), erase.run())}>
        <${Field} label=${t("erase_address")} name="address" autocomplete="off" required placeholder=${user.value?.email} value=${address} onInput=${(event) => setAddress(event.target.value)} />
        <${Field} label=${t("password")} name="password" type="password" autocomplete="current-password" hint=${t("erase_password_hint")} value=${password} onInput=${(event) => setPassword(event.target.value)} />
        <${ProblemNote} problem=${erase.problem} />
        <div><${Button} kind="danger" type="submit" disabled=${!isNamed} busy=${erase.busy}>${t("erase_act")}</${Button}></div>
      </form>
    </${Panel}>`;
}
