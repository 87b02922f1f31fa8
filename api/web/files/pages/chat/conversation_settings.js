import { html } from "../../core/html.js";
import { Dialog } from "../../components/dialog.js";

export function ConversationSettings({ conversation, close }) {
  return html`<${Dialog} title=${conversation.title} close=${close} />`;
}
