"""``claw eval``: the product held against material whose right outcome is known. One module per kind of material."""
