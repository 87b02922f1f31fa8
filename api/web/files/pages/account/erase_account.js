// Erasing the account: what goes, and the confirmation by the password.
import { html } from "../../core/html.js";
import { user } from "../../core/session.js";
import { ErasureForm } from "./erasure_form.js";
import { Panel } from "./panel.js";
import { t } from "./words.js";

export default function EraseAccount() {
  return html`<h1>${t("erase")}</h1>
    <${Panel} title=${t("erase_title")} text=${t("erase_text")}>
      <ul class="bullets"><li>${t("erase_what_1")}</li><li>${t("erase_what_2")}</li><li>${t("erase_what_3")}</li></ul>
      <${ErasureForm} path="/users/me/erasure" named=${user.value?.email ?? ""} label=${t("erase_address")} act=${t("erase_act")} />
    </${Panel}>`;
}
