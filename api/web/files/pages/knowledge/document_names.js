// What documents are called: the id that a file's path or an address gives, and the kind of a file.

const ID_CHARS_MAX = 200;
const HEAD_CHARS = 60;
const SEPARATOR = " › "; // ids have no slash

/**
 * The id of a document by the path of its file below the folder that was dropped, or by an address: the same path again is the next
 * version of the same document. Printable, without a slash, at most 200 characters.
 * @param {string} path
 */
export function documentIdOf(path) {
  const name = path
    .normalize("NFC")
    .split("/")
    .map((part) => part.replace(/[\p{C}\p{Z}]+/gu, " ").trim())
    .filter(Boolean)
    .join(SEPARATOR);
  const characters = [...(name || "untitled")];
  if (characters.length <= ID_CHARS_MAX) return characters.join("");
  const hash = `…${hashOf(name)}…`;
  return characters.slice(0, HEAD_CHARS).join("") + hash + characters.slice(characters.length - (ID_CHARS_MAX - HEAD_CHARS - hash.length)).join("");
}

/** The id of the document of a web page: its address without the scheme. @param {string} address */
export function documentIdOfAddress(address) {
  const { host, pathname, search } = new URL(address);
  let path = pathname;
  try {
    path = decodeURIComponent(pathname);
  } catch {
    // not UTF-8: as it is written
  }
  return documentIdOf(`${host}/${path}${search}`);
}

/** The addresses of a text with one a line: `{addresses, wrong}`, each once. */
export function readAddresses(text) {
  const lines = [...new Set(text.split("\n").map((line) => line.trim()).filter(Boolean))];
  const isAddress = (line) => URL.canParse(line) && /^https?:$/.test(new URL(line).protocol);
  return { addresses: lines.filter(isAddress), wrong: lines.filter((line) => !isAddress(line)) };
}

const KINDS = {
  "application/pdf": "PDF",
  "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "Word",
  "application/msword": "Word",
  "application/vnd.openxmlformats-officedocument.presentationml.presentation": "PowerPoint",
  "application/vnd.ms-powerpoint": "PowerPoint",
  "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "Excel",
  "application/vnd.ms-excel": "Excel",
  "application/vnd.oasis.opendocument.text": "ODT",
  "application/vnd.oasis.opendocument.spreadsheet": "ODS",
  "application/vnd.oasis.opendocument.presentation": "ODP",
  "application/epub+zip": "EPUB",
  "application/rtf": "RTF",
  "application/zip": "ZIP",
  "application/xml": "XML",
  "application/vnd.ms-outlook": "Outlook",
  "message/rfc822": "E-mail",
  "text/plain": "TXT",
  "text/markdown": "Markdown",
  "text/html": "HTML",
  "text/csv": "CSV",
  "text/x-rst": "RST",
  "text/org": "Org",
};

/** The kind of a document for people, such as "PDF"; "" while it is not known. @param {string} mediaType */
export function kindOf(mediaType) {
  return KINDS[mediaType] ?? mediaType.split("/").pop().toUpperCase();
}

// kinds of files that hold no text, by their extensions; everything else is for the API to judge, which looks into the file
const WITHOUT_TEXT = new Set(
  ("aac aiff app avi bin class dll dmg dylib ear exe flac flv iso jar key lib m4a m4v mkv mov mp3 mp4 mpeg mpg msi numbers o obj ogg otf pages " +
    "pkg psd pyc rar 7z so sqlite tar gz bz2 xz ttf wasm wav webm wma wmv woff woff2").split(" "),
);

/**
 * Why a file is refused before it is sent: "empty", "too_large", "unsupported", or "" when it is not.
 * @param {File} file @param {number | null} bytesMax null when the limit is not known
 */
export function refusalOf(file, bytesMax) {
  if (file.size === 0) return "empty";
  if (bytesMax !== null && file.size > bytesMax) return "too_large";
  return WITHOUT_TEXT.has(file.name.split(".").slice(1).pop()?.toLowerCase()) ? "unsupported" : "";
}

/** 32 bits of a text in hexadecimal: FNV-1a. */
function hashOf(text) {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193) >>> 0;
  return hash.toString(16).padStart(8, "0");
}
