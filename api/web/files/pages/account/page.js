// What belongs to the person who is signed in: a list of sections, and the one of the present path.
import { html, useEffect, useRef } from "../../core/html.js";
import { LazyComponent } from "../../core/lazy.js";
import { place } from "../../core/router.js";
import { hasRole } from "../../core/session.js";
import { language } from "../../core/words.js";
import { Icon } from "../../components/icon.js";
import { t } from "./words.js";

// each is loaded when it is first shown; `name` is its part of the path, "" that of /account itself
const SECTIONS = [
  { name: "", word: "profile", icon: "user", load: () => import("./profile.js") },
  { name: "security", word: "security", icon: "lock", load: () => import("./security.js") },
  { name: "notices", word: "notices", icon: "bell", load: () => import("./notices.js") },
  { name: "usage", word: "usage", icon: "chart", load: () => import("./usage.js") },
  { name: "keys", word: "keys", icon: "key", load: () => import("./api_keys.js") },
  { name: "webhooks", word: "webhooks", icon: "link", load: () => import("./webhooks.js") },
  { name: "organisation", word: "organisation", icon: "users", role: "admin", load: () => import("./organisation.js") },
  { name: "erase", word: "erase", icon: "trash", load: () => import("./erase_account.js") },
];

export default function AccountPage() {
  const name = place.value.parts[1] || "";
  const offered = SECTIONS.filter((each) => !each.role || hasRole(each.role));
  const section = offered.find((each) => each.name === name);
  const sections = useRef(null);
  useEffect(() => {
    sections.current.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" }); // a row that scrolls on phones
    document.title = `${t(section?.word ?? "account")} · Claw`;
  }, [section, language.value]);
  return html`<div class="account">
    <nav ref=${sections} class="account-sections" aria-label=${t("account")}>
      ${offered.map(
        (each) => html`<a key=${each.name} href=${each.name ? `/account/${each.name}` : "/account"} aria-current=${each === section ? "page" : null}><${Icon} name=${each.icon} /><span>${t(each.word)}</span></a>`,
      )}
    </nav>
    <main class="content">${section ? html`<${LazyComponent} key=${section.name} load=${section.load} />` : html`<h1>${t("not_here")}</h1><p>${t("not_here_text")}</p>`}</main>
  </div>`;
}
