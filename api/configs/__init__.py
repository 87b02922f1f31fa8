"""Live configuration over HTTP: keys, history, propagation, export and import.

Admission rule: routes about configuration itself. Which keys there are is declared by the areas of the domain; what a change means is
decided in ``domain.configs``.
"""
