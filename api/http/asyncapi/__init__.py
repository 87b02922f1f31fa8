"""The AsyncAPI 3.0 document: every topic and the WebSocket, derived from the topics, the structs and the settings that are at work."""
