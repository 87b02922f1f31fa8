"""The embedded stack: a real Kafka, a real Redis, the workers and the API as supervised child processes of one command.

Only code that starts, watches and stops processes on this machine belongs here; production runs the same commands under its own
supervisor.
"""
