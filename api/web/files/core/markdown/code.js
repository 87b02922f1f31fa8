import { html, useEffect, useState } from "../html.js";
import { Button } from "../../components/button.js";
import { copyText } from "../clipboard.js";
import { inTurn } from "../turns.js";
import { showToast } from "../../components/toasts.js";
import { t } from "../../components/words.js";

const COLOURED_CHARS_MAX = 50_000; // longer code stays plain: colouring takes time on the thread that draws
const QUIET_MS = 250; // coloured when it has not grown for this long

/**
 * A block of code: copied with a button, coloured when its language is known and it has stopped growing.
 * @param {{text: string, language: string}} props `language` as it stands behind the fence
 */
export function Code({ text, language }) {
  const name = language.trim().split(/\s/)[0].toLowerCase().slice(0, 40);
  const [coloured, setColoured] = useState({ text: "", nodes: null });
  useEffect(() => {
    if (!name || text.length > COLOURED_CHARS_MAX) return undefined;
    let isGone = false;
    const timer = setTimeout(async () => {
      const colour = await loadLanguage(name).catch(() => null);
      const nodes = colour && (await inTurn(() => (isGone ? null : colour(text))).catch(() => null));
      if (!isGone && nodes) setColoured({ text, nodes });
    }, QUIET_MS);
    return () => {
      isGone = true;
      clearTimeout(timer);
    };
  }, [text, name]);
  return html`<div class="code">
    <div class="code-head"><span>${name}</span><${Button} kind="quiet" icon="copy" label=${t("copy")} onClick=${async () => (await copyText(text)) && showToast(t("copied"))} /></div>
    <pre tabindex="0" dir="ltr"><code>${coloured.text === text && coloured.nodes ? coloured.nodes : text}</code></pre>
  </div>`;
}

// the languages that are coloured, by the names that stand behind fences; each is loaded when it is first needed
const LANGUAGES = {
  bash: "bash sh zsh",
  cpp: "cpp c++ cc h hpp c",
  css: "css",
  diff: "diff patch",
  go: "go golang",
  ini: "ini toml",
  java: "java",
  javascript: "javascript js jsx mjs",
  json: "json jsonc json5",
  python: "python py",
  rust: "rust rs",
  shell: "shell console shellsession",
  sql: "sql",
  typescript: "typescript ts tsx",
  xml: "xml html svg vue",
  yaml: "yaml yml",
};
const BY_NAME = new Map(Object.entries(LANGUAGES).flatMap(([language, names]) => names.split(" ").map((name) => [name, language])));

/** How text of this language is coloured: as elements, from the tree of its result, without HTML; null for a language that is not known. */
async function loadLanguage(name) {
  const language = BY_NAME.get(name);
  if (!language) return null;
  const [{ default: highlight }, { default: grammar }] = await Promise.all([
    import("../../vendor/highlight.js"),
    import(`../../vendor/highlight_${language}.js`),
  ]);
  if (!highlight.getLanguage(language)) highlight.registerLanguage(language, grammar);
  return (text) => highlight.highlight(text, { language, ignoreIllegals: true })._emitter.rootNode.children.map(drawNode);
}

function drawNode(node) {
  if (typeof node === "string") return node;
  const scope = node.scope ? `hl-${node.scope.split(".")[0]}` : null;
  return html`<span class=${scope}>${node.children.map(drawNode)}</span>`;
}
