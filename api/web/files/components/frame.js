// The frame around every page of somebody who is signed in: where one is, and what one may reach from here.
import { html } from "../core/html.js";
import { hasRole, signOut, user } from "../core/session.js";
import { chooseTheme, theme } from "../core/theme.js";
import { chooseLanguage, language } from "../core/words.js";
import { Icon } from "./icon.js";
import { Logo } from "./logo.js";
import { Menu } from "./menu.js";
import { NoticeBell } from "./notice_bell.js";
import { showProblem } from "./toasts.js";
import { t } from "./words.js";

const LINKS = [
  { page: "chat", href: "/", icon: "chat" },
  { page: "knowledge", href: "/knowledge", icon: "book" },
  { page: "operations", href: "/operations", icon: "chart", role: "admin" },
];

/** @param {{current: string, children: any}} props `current`: the page's folder */
export function Frame({ current, children }) {
  return html`<div class="frame">
    <a class="skip" href="#main" onClick=${skip}>${t("skip")}</a>
    <nav class="rail" aria-label=${t("main_navigation")}>
      <a class="brand" href="/" aria-label="Claw"><${Logo} /></a>
      ${LINKS.filter((link) => !link.role || hasRole(link.role)).map(
        (link) => html`<a key=${link.page} href=${link.href} aria-current=${link.page === current ? "page" : null}><${Icon} name=${link.icon} /><span>${t(link.page)}</span></a>`,
      )}
      <span class="stretch"></span>
      <${Menu} icon="settings" label=${`${t("language")} / ${t("theme")}`} align="start up" items=${appearanceItems()} />
      <${NoticeBell} />
      <a href="/account" aria-current=${current === "account" ? "page" : null} title=${user.value.email}><${Icon} name="user" /><span>${t("account")}</span></a>
    </nav>
    <div class="page" id="main" tabindex="-1">${children}</div>
  </div>`;
}

/** What the menu of language and theme offers, also where nobody is signed in. */
export function appearanceItems() {
  return [
    { label: "中文", checked: language.value === "zh", run: () => chooseLanguage("zh") },
    { label: "English", checked: language.value === "en", run: () => chooseLanguage("en") },
    ...["auto", "light", "dark"].map((name) => ({ label: t(`theme_${name}`), checked: theme.value === name, run: () => chooseTheme(name) })),
    user.value ? { label: t("sign_out"), run: () => signOut().catch(showProblem) } : null,
  ];
}

function skip(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}
