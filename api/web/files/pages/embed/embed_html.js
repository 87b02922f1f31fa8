// The lines that put a widget into a page. Pure.

/** @param {string} origin of the installation @param {string} key of the widget @param {string} language zh or en */
export function embedHtml(origin, key, language) {
  return `<script type="module" src="${origin}/embed.js"></script>\n<claw-chat key="${attribute(key)}" lang="${language}"></claw-chat>`;
}

/** A text between double quotes: whatever was pasted as a key ends no attribute of the page that the lines are copied into. */
function attribute(text) {
  return text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
}
