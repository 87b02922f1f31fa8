"""The embedded stack: a real Kafka, a real Redis, the lanes and the API as supervised child processes of one command.

Only what starts, watches and stops processes on this machine belongs here; production runs the same commands under its own supervisor.
"""
