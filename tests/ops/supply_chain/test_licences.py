"""Licences: a new copyleft one is noticed."""

import importlib.metadata

import pytest
from packaging.utils import canonicalize_name

from ops.supply_chain import licences
from ops.supply_chain.components import read_packages


def test_every_locked_package_has_an_allowed_licence():
    """And the file says what the installed packages declare."""
    known, names = licences.read_licences(), [each.name for each in read_packages()]
    assert licences.find_objections(names, known) == []
    installed = {str(canonicalize_name(each.metadata["Name"])): each.metadata for each in importlib.metadata.distributions()}
    declared = {name: licences.read_licence(installed[name]) for name in names if name in installed}
    assert {name: known[name] for name in declared if declared[name] != licences.UNKNOWN} == {
        name: licence for name, licence in declared.items() if licence != licences.UNKNOWN
    }


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("MPL-1.1 OR GPL-2.0-only OR LGPL-2.1-or-later", True),
        ("Apache-2.0 AND (MIT)", True),
        ("AGPL-3.0-only", False),
        ("MIT AND GPL-3.0-or-later", False),
        ("unknown", False),
    ],
)
def test_expressions(expression, allowed):
    """One alternative must be allowed in all its parts."""
    assert licences.is_allowed(expression) == allowed


def test_a_new_package_is_noticed():
    """Without an entry it is unknown, which no list allows; so the generated page changes and `claw docs --check` fails."""
    (objection,) = licences.find_objections(["new-thing"], licences.read_licences())
    assert "new-thing" in objection
