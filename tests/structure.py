"""Counts of the structure: ``python -m tests.structure`` prints them; test_structure.py keeps the bars.

An arrow is a pair of a module and another module of ours that it imports. A loose file lies in a package itself, not in an area of it.
A participle is the first word of a function's name: ``started``, ``kept``.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests"
PACKAGES = ("schemas", "adapters", "streams", "domain", "agents", "api", "ops", "benchmarks", "clients")
IRREGULAR = frozenset(
    (
        "told said kept found begun known held made given seen taken left lent sent heard met lost built written spoken shown drawn "
        "grown spent meant thought brought bought caught taught sold paid laid fed led bound wound sought gone done won stood "
        "understood sung sunk broken chosen frozen stolen woken driven ridden risen fallen eaten forgotten hidden bitten proven sworn "
        "torn worn born thrown blown flown "
    ).split()
)
NO_PARTICIPLES = frozenset("embed feed need shed speed proceed seed exceed bleed breed weed red bed shred".split())
BUNDLES = ("Ports", "Parts", "Deps", "Resources")  # what a class is called that carries the things others need


@dataclass(frozen=True)
class Function:
    """A function or method, and where it is."""

    name: str
    place: str


@dataclass(frozen=True)
class Module:
    """One file of ours."""

    path: Path
    tree: ast.Module

    @property
    def package(self) -> str:
        return self.path.parts[0]

    @property
    def loose(self) -> bool:
        return len(self.path.parts) == 2 and self.path.name != "__init__.py"

    @property
    def name(self) -> str:
        parts = self.path.with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def mirror(self) -> Path:
        """Where the test of its own lies."""
        return TESTS / self.path.with_name(f"test_{self.path.name}")


@dataclass
class Structure:
    """What the packages are made of."""

    modules: list[Module] = field(default_factory=list)

    @classmethod
    def read(cls, packages: tuple[str, ...] = PACKAGES) -> "Structure":
        paths = [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]
        return cls([Module(path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))) for path in paths])

    @cached_property
    def arrows(self) -> set[tuple[str, str]]:
        names = {module.name for module in self.modules}
        found = set()
        for module in self.modules:
            for node in ast.walk(module.tree):
                if isinstance(node, ast.ImportFrom) and node.module:
                    targets = [f"{node.module}.{alias.name}" for alias in node.names]
                    found |= {(module.name, target if target in names else node.module) for target in targets}
        return {(source, target) for source, target in found if target in names}

    def classes_named_twice(self) -> dict[str, list[str]]:
        """Names of classes that stand in more than one place; a class inside a function or a class counts as well."""
        places: dict[str, list[str]] = defaultdict(list)
        for module in self.modules:
            for node in ast.walk(module.tree):
                if isinstance(node, ast.ClassDef):
                    places[node.name].append(f"{module.path}:{node.lineno}")
        return {name: found for name, found in sorted(places.items()) if len(found) > 1}

    @cached_property
    def functions(self) -> list[Function]:
        return [
            Function(node.name, f"{module.path}:{node.lineno}")
            for module in self.modules
            for node in ast.walk(module.tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ]

    def participles(self) -> list[Function]:
        return [function for function in self.functions if is_participle(function.name)]

    def bundles(self) -> list[tuple[int, str]]:
        """Fields of the classes that carry ports, the largest first."""
        return sorted(
            (
                (sum(isinstance(line, ast.AnnAssign) for line in node.body), f"{module.path}:{node.lineno} {node.name}")
                for module in self.modules
                for node in ast.walk(module.tree)
                if isinstance(node, ast.ClassDef) and node.name.endswith(BUNDLES)
            ),
            reverse=True,
        )

    def tested(self) -> list[Module]:
        """Modules that have a test of their own at their mirror."""
        return [module for module in self.modules if module.mirror.is_file()]


def is_participle(name: str) -> bool:
    word = name.strip("_").split("_")[0].lower()
    return word not in NO_PARTICIPLES and (word in IRREGULAR or (len(word) > 3 and word.endswith("ed")))


def report(structure: Structure) -> Iterator[str]:
    """One line per figure, then what stands behind those that have a bar."""
    yield f"{'package':12} {'files':>6} {'loose':>6} {'arrows':>7} {'inside':>7}"
    for package in PACKAGES:
        modules = [module for module in structure.modules if module.package == package]
        arrows = [target for source, target in structure.arrows if source.split(".")[0] == package]
        inside = sum(target.split(".")[0] == package for target in arrows)
        yield f"{package:12} {len(modules):6} {sum(module.loose for module in modules):6} {len(arrows):7} {inside:7}"
    twice, participles, functions = structure.classes_named_twice(), structure.participles(), structure.functions
    yield f"class names defined more than once: {len(twice)}"
    yield from (f"  {name}: {', '.join(places)}" for name, places in twice.items())
    yield f"functions named by a participle: {len(participles)} of {len(functions)} ({len(participles) / len(functions):.1%})"
    yield from (f"  {function.place} {function.name}" for function in participles)
    yield f"modules with a test of their own at their mirror: {len(structure.tested())} of {len(structure.modules)}"
    yield "largest bundles of ports:"
    yield from (f"  {fields} {place}" for fields, place in structure.bundles()[:5])


if __name__ == "__main__":
    print(*report(Structure.read()), sep="\n")  # noqa: T201
