// The widget's style as a constructed sheet, which a page's `style-src` does not forbid. `--claw-*` are for the page to set.

const DARK = `
  --surface: var(--claw-surface, #16181d); --raised: #20232a; --text: var(--claw-text, #eceef2); --soft: #a9b0bd; --line: #363b45;
  --accent: var(--claw-accent, #8ab4ff); --on-accent: #10131a; --mine: #263349; --bad: #ff9d94; color-scheme: dark;`;

const CSS = `
:host {
  --surface: var(--claw-surface, #fff); --raised: #f4f5f8; --text: var(--claw-text, #1b1e24); --soft: #565e6c; --line: #d5d9e0;
  --accent: var(--claw-accent, #1d5bd6); --on-accent: #fff; --mine: #e6eefc; --bad: #b3261e; color-scheme: light;
  display: block; block-size: 34rem; max-block-size: 100%; min-block-size: 18rem; contain: content;
  font: 15px/1.55 var(--claw-font, system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif);
}
:host([hidden]) { display: none; }
:host([theme="dark"]) {${DARK}}
@media (prefers-color-scheme: dark) { :host(:not([theme="light"])) {${DARK}} }
*, *::before { box-sizing: border-box; }
.chat { display: flex; flex-direction: column; block-size: 100%; background: var(--surface); color: var(--text); border: 1px solid var(--line); border-radius: 12px; overflow: hidden; }
header { display: flex; gap: 8px; align-items: center; padding: 10px 14px; border-block-end: 1px solid var(--line); }
h2 { flex: 1; margin: 0; font-size: 1rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
button { font: inherit; color: inherit; background: none; border: 1px solid var(--line); border-radius: 8px; padding: 5px 11px; min-block-size: 36px; cursor: pointer; }
button:hover { background: var(--raised); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.log { flex: 1; overflow-y: auto; overscroll-behavior: contain; padding: 14px; margin: 0; list-style: none; }
.log li.turn { margin-block-end: 18px; }
.question, .body { overflow-wrap: anywhere; }
.question { position: relative; margin: 0 0 10px auto; inline-size: fit-content; max-inline-size: 85%; padding: 8px 12px; border-radius: 12px 12px 3px 12px; background: var(--mine); white-space: pre-wrap; }
.body > :first-child { margin-block-start: 0; }
.body > :last-child { margin-block-end: 0; }
.body p, .body ul, .body ol, .body pre, .body .table { margin-block: 8px; }
.body ul, .body ol { padding-inline-start: 22px; }
.body ul { list-style: disc; }
.body a { color: var(--accent); }
pre, code { font: 0.9em/1.5 ui-monospace, Menlo, Consolas, monospace; background: var(--raised); border-radius: 5px; }
pre { padding: 10px; overflow-x: auto; }
code { padding: 1px 4px; }
pre code { padding: 0; }
.table { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.93em; }
th, td { border: 1px solid var(--line); padding: 4px 8px; text-align: start; vertical-align: top; }
.chip { min-block-size: 0; padding: 0 6px; margin-inline: 2px; border-radius: 9px; border-color: var(--accent); color: var(--accent); font-size: 0.76em; line-height: 1.5; font-weight: 600; vertical-align: 0.15em; }
.chip[aria-expanded="true"] { background: var(--accent); color: var(--on-accent); }
.card { position: relative; margin-block-start: 10px; padding: 10px 12px; background: var(--raised); border: 1px solid var(--line); border-inline-start: 3px solid var(--accent); border-radius: 8px; overflow-wrap: anywhere; }
.card strong { display: block; padding-inline-end: 60px; }
.card .place { color: var(--soft); font-size: 0.87em; }
.card blockquote { margin: 6px 0 0; max-block-size: 12em; overflow-y: auto; white-space: pre-wrap; }
.card button { position: absolute; inset-block-start: 6px; inset-inline-end: 6px; min-block-size: 28px; padding: 1px 8px; font-size: 0.85em; }
.state { color: var(--soft); font-size: 0.9em; margin-block-start: 6px; }
.state.bad { color: var(--bad); }
.state button { margin-inline-start: 8px; color: var(--text); }
form { display: flex; gap: 8px; align-items: flex-end; padding: 10px 14px 6px; border-block-start: 1px solid var(--line); }
textarea { flex: 1; min-inline-size: 0; resize: none; font: inherit; font-size: 16px; color: inherit; background: var(--surface); border: 1px solid var(--soft); border-radius: 8px; padding: 6px 10px; block-size: 40px; max-block-size: 140px; }
form button { background: var(--accent); color: var(--on-accent); border-color: transparent; min-block-size: 40px; }
form button:hover { background: var(--accent); filter: brightness(1.1); }
.note { margin: 0; padding: 0 14px 8px; color: var(--soft); font-size: 0.78em; }
.speech { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.waits::before { content: ""; display: inline-block; inline-size: 0.6em; block-size: 0.6em; margin-inline-end: 6px; border-radius: 50%; background: var(--accent); animation: pulse 1.2s infinite alternate; }
@keyframes pulse { to { opacity: 0.2; } }
@media (prefers-reduced-motion: reduce) { .waits::before { animation: none; } }
@media (max-width: 480px) { .chat { border-radius: 0; border-inline: 0; } .log, form { padding-inline: 10px; } }
`;

let sheet = null;

/** One sheet for all widgets of a page. */
export function widgetStyle() {
  if (sheet === null) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
  }
  return sheet;
}
