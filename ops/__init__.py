"""The command line, the embedded stack, topic administration, the demo.

Admission rule: composition and operation; nothing imports this package.
"""
