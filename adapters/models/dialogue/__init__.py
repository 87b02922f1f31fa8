"""Questions in a conversation: follow-ups and their subjects, condensing, courtesies, what was refused before."""
