export { ConversationSettings } from "./conversations/conversation_settings.js";
