"""The vendored packages are those that the list names, unchanged since they were fetched, with their licences."""

import hashlib
import json
import re

from api.web.static_files import FILES
from ops.supply_chain.licences import is_allowed
from ops.web.vendor import VENDOR, make_module, make_style, read_packages


def test_files_are_as_they_were_fetched() -> None:
    lock = json.loads((FILES.parent / "packages.lock.json").read_text(encoding="utf-8"))
    files = {path.name for path in VENDOR.iterdir() if not path.name.endswith(".txt")}
    listed = [name for package in read_packages()["packages"] for name in package["files"].values()]
    assert files == set(lock) == set(listed)
    assert {name: hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() for name in lock} == lock


def test_every_package_has_a_licence_that_we_may_use() -> None:
    for package in read_packages()["packages"]:
        assert is_allowed(package["licence"]), package["name"]
        assert (VENDOR / f"{package['name'].rpartition('/')[2]}.LICENSE.txt").stat().st_size > 500


def test_modules_import_their_neighbours() -> None:
    assert make_module('import{h}from"preact";x("from\\"preact/x\\"")') == 'import{h}from"./preact.js";x("from\\"preact/x\\"")'


def test_scripts_become_modules() -> None:
    assert make_module("var a=1;\n", "a") == "var a=1;\nexport default a;\n"


def test_styles_name_no_file_that_is_not_served() -> None:
    assert make_style("@font-face {\n  src: url('a.woff2');\n}\nmath { direction: ltr; }\n") == "math { direction: ltr; }\n"
    assert all(not re.search(r"url\((?!.data:|%23)", path.read_text(encoding="utf-8")) for path in VENDOR.glob("*.css"))
