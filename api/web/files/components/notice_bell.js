// The way to the notices, with the number of those that were not read.
import { html, useEffect } from "../core/html.js";
import { followNotices, unreadCount } from "../core/notices.js";
import { formatNumber, language } from "../core/words.js";
import { Icon } from "./icon.js";
import { t } from "./words.js";

const SHOWN_MAX = 99;

export function NoticeBell() {
  useEffect(() => {
    const stop = new AbortController();
    followNotices(stop.signal); // in the language of the page
    return () => stop.abort();
  }, [language.value]);
  const count = unreadCount.value;
  return html`<a href="/account/notices" class="notice-bell" aria-label=${count ? t("notices_unread", { count: formatNumber(count) }) : t("notices")}>
    <${Icon} name="bell" />${count > 0 && html`<span class="count" data-count=${count > SHOWN_MAX ? `${SHOWN_MAX}+` : count}></span>`}<span>${t("notices")}</span>
  </a>`;
}
