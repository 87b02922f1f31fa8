// The password, and where the account is signed in.
import { html, useState } from "../../core/html.js";
import { call } from "../../core/http.js";
import { useAct } from "../../core/resource.js";
import { signOut } from "../../core/session.js";
import { formatTime } from "../../core/words.js";
import { Button } from "../../components/button.js";
import { Confirmation } from "../../components/dialog.js";
import { Field, errorOf } from "../../components/field.js";
import { ProblemNote } from "../../components/problem_note.js";
import { showToast } from "../../components/toasts.js";
import { ListingEnd, useListing } from "../../components/listing.js";
import { Panel } from "./panel.js";
import { nameOfBrowser } from "./user_agent.js";
import { t } from "./words.js";

export default function Security() {
  const sessions = useListing("/auth/sessions");
  return html`<h1>${t("security")}</h1>
    <${PasswordPanel} changed=${sessions.reload} />
    <${SessionsPanel} sessions=${sessions} />`;
}

function PasswordPanel({ changed }) {
  const [values, setValues] = useState({ old_password: "", new_password: "" });
  const change = useAct(async () => {
    await call("POST", "/auth/password", { body: values });
    setValues({ old_password: "", new_password: "" });
    showToast(t("password_changed"));
    changed();
  });
  const input = (name) => ({
    name,
    type: "password",
    required: true,
    value: values[name],
    error: errorOf(change.problem, `body.${name}`) || errorOf(change.problem, name),
    onInput: (event) => setValues({ ...values, [name]: event.target.value }),
  });
  return html`<${Panel} title=${t("change_password")} text=${t("change_password_text")}>
    <form class="stack narrow" onSubmit=${(event) => (event.preventDefault(), change.run())}>
      <${Field} label=${t("old_password")} autocomplete="current-password" ...${input("old_password")} />
      <${Field} label=${t("new_password")} autocomplete="new-password" minlength="8" hint=${t("password_hint")} ...${input("new_password")} />
      <${ProblemNote} problem=${change.problem} />
      <div class="row wrap"><${Button} kind="primary" type="submit" busy=${change.busy}>${t("change_password")}</${Button}><a href="/reset-password">${t("forgot")}</a></div>
    </form>
  </${Panel}>`;
}

function SessionsPanel({ sessions }) {
  const [isAsked, setAsked] = useState(false);
  const end = useAct(async (session) => {
    if (session.current) return signOut();
    await call("DELETE", `/auth/sessions/${session.id}`);
    sessions.remove(session.id);
    return showToast(t("session_ended"));
  });
  const endOthers = useAct(async () => {
    await call("DELETE", "/auth/sessions?keep_current=true");
    setAsked(false);
    sessions.reload();
    showToast(t("sessions_ended"));
  });
  const others = sessions.items.filter((session) => !session.current).length;
  return html`<${Panel} title=${t("sessions")} text=${t("sessions_text")} actions=${others > 0 && html`<${Button} onClick=${() => setAsked(true)}>${t("end_others")}</${Button}>`}>
    <${ProblemNote} problem=${end.problem} />
    <ul class="rows" aria-label=${t("sessions")}>
      ${sessions.items.map(
        (session) => html`<li key=${session.id}>
          <div class="stretch">
            <p class="row wrap"><strong>${nameOfBrowser(session.user_agent) || t("unknown_browser")}</strong>${session.current && html`<span class="badge good">${t("this_session")}</span>`}<span class="badge">${t(session.kind === "cookie" ? "session_page" : "session_program")}</span></p>
            <p class="minor">${t("session_facts", { network: session.network || "–", begun: formatTime(session.created_at), used: formatTime(session.refreshed_at), expires: formatTime(session.expires_at) })}</p>
          </div>
          <${Button} busy=${end.busy} onClick=${() => end.run(session)}>${t(session.current ? "sign_out" : "end_session")}</${Button}>
        </li>`,
      )}
    </ul>
    <${ListingEnd} listing=${sessions} empty=${t("no_sessions")} />
    ${isAsked && html`<${Confirmation} title=${t("end_others")} text=${t("end_others_text")} label=${t("end_others")} run=${endOthers.run} busy=${endOthers.busy} problem=${html`<${ProblemNote} problem=${endOthers.problem} />`} close=${() => setAsked(false)} />`}
  </${Panel}>`;
}
