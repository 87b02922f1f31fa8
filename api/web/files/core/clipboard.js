// Copying text, also where the browser's clipboard is not offered: over plain HTTP from another machine.

/** Resolves to whether the text is on the clipboard. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = Object.assign(document.createElement("textarea"), { value: text, readOnly: true, className: "unseen" });
    area.style.whiteSpace = "pre"; // what is unseen has one line, and indentation would be lost
    const focused = document.activeElement;
    (document.querySelector("dialog[open]") || document.body).append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    focused?.focus();
    return copied;
  }
}
