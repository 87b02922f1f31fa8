export { ConversationList } from "./conversations/conversation_list.js";
export { followConversationChanges, tellConversationChange } from "./conversations/changes.js";
