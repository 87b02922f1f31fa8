"""The list of areas: what each is made of, and that none is forgotten."""

import dataclasses
import importlib
from pathlib import Path
from typing import Any

import api
from api.areas import AREAS
from api.core import Core

FIELDS_MAX = 12


def test_every_folder_with_an_area_is_in_the_list():
    folders = {path.parent.name for path in Path(api.__file__).parent.glob("*/area.py")}
    assert folders == {area.name for area in AREAS}
    assert len(AREAS) == len(folders)


def test_ports_stay_small():
    kinds: list[Any] = [Core]
    for area in AREAS:
        if area.open_ports is not None:
            module = importlib.import_module(f"api.{area.name}.ports")
            kinds += [each for each in vars(module).values() if dataclasses.is_dataclass(each) and each.__module__ == module.__name__]
    assert len(kinds) > len(AREAS) // 2
    for kind in kinds:
        assert len(dataclasses.fields(kind)) <= FIELDS_MAX, kind


def test_every_router_is_built_anew():
    """Two applications of one process share no router."""
    for area in AREAS:
        for router in (*area.routers, *area.root_routers):
            assert router() is not router()
