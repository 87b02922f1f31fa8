// The files of what was dropped or chosen, folders walked to their ends, each with its path below the folder.

export const FILES_MAX = 2000; // of one drop
const ENTRIES_MAX = 20000; // looked at: folders without files end, too
const SYSTEM_FILE = /^(?:\.|~\$|Thumbs\.db$|desktop\.ini$|__MACOSX$)/i; // what systems and programs leave in folders; nobody means it

/**
 * The files of a drop. Call it in the handler of the event: afterwards the browser forgets what was dropped.
 * @param {DataTransfer} transfer
 * @returns {Promise<{files: {file: File, path: string}[], isCut: boolean}>} `isCut`: there were more than `max`
 */
export function filesOfDrop(transfer, max = FILES_MAX) {
  const dropped = [...transfer.items].filter((item) => item.kind === "file").map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
  return walk(dropped.filter(Boolean), max);
}

/** The files of an input, with the paths that a chosen folder gives them; as `filesOfDrop`. @param {FileList} list */
export function filesOfInput(list, max = FILES_MAX) {
  const files = [...list].map((file) => ({ file, path: file.webkitRelativePath || file.name })).filter(({ path }) => !isSystemPath(path));
  return { files: files.slice(0, max), isCut: files.length > max };
}

/** Entries of the file system, and files, one after another. @param {(FileSystemEntry | File)[]} entries */
export async function walk(entries, max = FILES_MAX) {
  const files = [];
  const waiting = entries.map((entry) => ({ entry, path: entry.name }));
  for (let looked = 0; waiting.length && files.length <= max; looked++) {
    if (looked === ENTRIES_MAX) return { files, isCut: true };
    const { entry, path } = waiting.shift();
    if (SYSTEM_FILE.test(entry.name) && path.includes("/")) continue;
    if (entry instanceof File) files.push({ file: entry, path });
    else if (entry.isFile) files.push({ file: await new Promise((resolve, reject) => entry.file(resolve, reject)), path });
    else waiting.unshift(...(await childrenOf(entry)).map((child) => ({ entry: child, path: `${path}/${child.name}` })));
  }
  return { files: files.slice(0, max), isCut: files.length > max };
}

async function childrenOf(folder) {
  const reader = folder.createReader();
  const children = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)); // at most 100 at a time
    if (!some.length) return children.sort((a, b) => Boolean(b.isFile) - Boolean(a.isFile) || a.name.localeCompare(b.name));
    children.push(...some);
  }
}

function isSystemPath(path) {
  const parts = path.split("/");
  return parts.length > 1 && parts.slice(1).some((part) => SYSTEM_FILE.test(part));
}
