"""Reading and writing the log: publisher, readers, replicas, tails, request-reply."""
