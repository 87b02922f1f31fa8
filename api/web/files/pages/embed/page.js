// A widget as visitors of somebody's page would see it, with the key of one, and the lines that put it into a page.
import { html, useEffect, useRef, useState } from "../../core/html.js";
import { copyText } from "../../core/clipboard.js";
import { navigate, place } from "../../core/router.js";
import { theme } from "../../core/theme.js";
import { language } from "../../core/words.js";
import { Button } from "../../components/button.js";
import { Field } from "../../components/field.js";
import { showToast } from "../../components/toasts.js";
import { t as common } from "../../components/words.js";
import { embedHtml } from "./embed_html.js";
import { t } from "./words.js";

export default function EmbedPage() {
  const [key, setKey] = useState(place.value.fragment.get("key") ?? "");
  const [shown, setShown] = useState(key);
  useEffect(() => {
    document.title = `${t("embed")} · Claw`;
  }, [language.value]);
  useEffect(() => {
    if (location.hash) navigate("/embed", { replace: true }); // a key stays in no history
  }, []);
  const code = embedHtml(location.origin, shown || "claw_…", language.value);
  const copy = async () => (await copyText(code)) && showToast(common("copied"));
  return html`<main class="content embed">
    <h1>${t("embed")}</h1>
    <p class="minor">${t("embed_text")} <a href="/account/keys">${t("make_key")}</a></p>
    <form class="row wrap" onSubmit=${(event) => (event.preventDefault(), setShown(key.trim()))}>
      <div class="stretch"><${Field} label=${t("key")} name="key" value=${key} required placeholder="claw_…" autocomplete="off" spellcheck="false" maxlength="200" hint=${t("key_hint", { origin: location.origin })} onInput=${(event) => setKey(event.target.value)} /></div>
      <${Button} kind="primary" type="submit">${t("show")}</${Button}>
    </form>
    ${shown && html`<section aria-label=${t("preview")}><${Widget} key=${shown} apiKey=${shown} /></section>`}
    <section class="stack" aria-label=${t("lines")}>
      <div class="row"><h2 class="stretch">${t("lines")}</h2><${Button} icon="copy" onClick=${copy}>${common("copy")}</${Button}></div>
      <pre tabindex="0"><code>${code}</code></pre>
    </section>
  </main>`;
}

/** The element itself, as a page has it: its attribute `key` would be one of Preact's own. */
function Widget({ apiKey }) {
  const box = useRef(null);
  useEffect(() => {
    const widget = document.createElement("claw-chat");
    widget.setAttribute("key", apiKey);
    widget.setAttribute("lang", language.value);
    if (theme.value !== "auto") widget.setAttribute("theme", theme.value);
    box.current.replaceChildren(widget);
    import(`${location.origin}/embed.js`); // of this origin, and one file that no other module knows
    return () => widget.remove();
  }, [language.value, theme.value]);
  return html`<div ref=${box}></div>`;
}
