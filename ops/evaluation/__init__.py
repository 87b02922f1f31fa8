"""``claw eval``: the evaluation of the product on material with known outcomes. One module per kind of material."""
