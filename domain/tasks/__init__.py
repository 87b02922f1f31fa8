"""Tasks: every piece of asynchronous work as one model, projected from the events of the areas that do it.

Admission rule: what turns events of several areas into tasks, and the table of tasks. The work itself stays in its area.
"""
