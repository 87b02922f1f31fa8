"""What jobs do: one action a module, each a function that makes the next step of a job.

Admission rule: it uses several areas. A step may be made twice: what it does follows from the job's id and its position.
"""
