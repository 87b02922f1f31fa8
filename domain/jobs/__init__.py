"""Jobs: work in bounded steps that outlives every process, begun by a schedule or a request.

Admission rule: how any job goes on, ends and is cancelled. What an action does stands in ``domain/job_actions``.
"""
