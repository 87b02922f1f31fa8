"""Mail: the message as it is sent, and the SMTP server that takes it."""
