import { html, useEffect, useState } from "../../core/html.js";
import { call } from "../../core/http.js";
import { formatNumber, locale } from "../../core/words.js";
import { t } from "./words.js";

/** What the conversation has cost so far; read again when an answer has ended. */
export function UsageLine({ store }) {
  const [usage, setUsage] = useState(null);
  const draft = store.draft.value;
  const revision = store.conversation.value?.revision;
  const count = store.messages.value.length ? store.messages.value.at(-1).id + (store.messages.value.at(-1).usage ? 1 : 0) : "";
  useEffect(() => {
    if (draft) return undefined;
    const stop = new AbortController();
    call("GET", `${store.path}/usage`, { signal: stop.signal }).then(setUsage, () => {}); // a line less
    return () => stop.abort();
  }, [store, draft, count, revision]);
  if (!usage?.answers) return null;
  const tokens = usage.prompt_tokens + usage.completion_tokens;
  return html`<p class="usage minor" title=${usage.estimated ? `${t("about")}` : null}>
    ${usage.estimated ? t("about") : ""}${t(usage.complete ? "usage" : "usage_newest", { answers: formatNumber(usage.answers), tokens: formatNumber(tokens) })}${usage.cost_micros > 0 && t("usage_cost", { cost: formatCost(usage) })}
  </p>`;
}

function formatCost({ cost_micros: micros, currency }) {
  return new Intl.NumberFormat(locale.value, { style: "currency", currency, maximumFractionDigits: micros < 10_000 ? 5 : micros < 1_000_000 ? 3 : 2 }).format(micros / 1e6);
}
