// Which addresses of foreign text may be followed.
const SCHEMES = /^(?:https?|mailto):/i;

/**
 * The address, or "" where following it would run a script or read a file. Addresses without a scheme lead nowhere outside the document
 * that they were written in, so they are not followed either.
 * @param {string} href
 */
export function safeAddress(href) {
  const trimmed = href.replace(/[\u0000-\u0020\u007f-\u00a0]/g, "");
  if (!SCHEMES.test(trimmed)) return "";
  try {
    const { href: whole, protocol } = new URL(trimmed);
    return ["http:", "https:", "mailto:"].includes(protocol) ? whole : "";
  } catch {
    return "";
  }
}
