import { html } from "../../core/html.js";
import { Button } from "../../components/button.js";
import { t } from "./words.js";

/** `‹ 2 / 3 ›`: the other messages in this one's place. @param {{message: {id: string, siblings?: string[]}, walk: (id: string) => void}} props */
export function BranchWalker({ message, walk }) {
  const all = message.siblings ?? [];
  const at = all.indexOf(message.id);
  if (all.length < 2 || at < 0) return null;
  const step = (by) => walk(all[at + by]);
  return html`<span class="branches" role="group" aria-label=${t("branch", { at: at + 1, count: all.length })}>
    <${Button} kind="quiet" icon="chevron_left" label=${t("previous")} disabled=${at === 0} onClick=${() => step(-1)} />
    <span>${at + 1} / ${all.length}</span>
    <${Button} kind="quiet" icon="chevron_right" label=${t("next")} disabled=${at === all.length - 1} onClick=${() => step(1)} />
  </span>`;
}
