import { send } from "../../core/http.js";

/** Saves a conversation as a file. @param {string} id @param {"markdown" | "json"} format @param {string} title */
export async function downloadConversation(id, format, title) {
  const answer = await send("GET", `/conversations/${id}/export?format=${format}`);
  const address = URL.createObjectURL(await answer.blob());
  const name = title.replace(/[\p{C}\\/:*?"<>|]/gu, " ").trim().slice(0, 80) || "conversation";
  Object.assign(document.createElement("a"), { href: address, download: `${name}.${format === "json" ? "json" : "md"}` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
