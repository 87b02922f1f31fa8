"""From a question to passages: search over visible versions, and the choice of passages."""
