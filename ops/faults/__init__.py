"""``claw faults``: a stack of its own under mixed load and injected faults, and its whole history held against the promises.

``plan`` draws the faults from the seed, ``load`` asks and submits through the public doors, ``nemesis`` injects and heals, ``collect``
reads what is left at the end. All of it goes into one ``history``; ``promises`` and ``states`` are pure functions over it. Nothing else in
the house imports this.
"""
