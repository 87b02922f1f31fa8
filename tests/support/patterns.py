"""Every regular expression of the product, and the strings each of them is slowest on: made from its own parts."""

import ast
import builtins
import importlib
import inspect
import pkgutil
import re
import string
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser as sre_parser  # type: ignore[attr-defined]
from types import ModuleType
from typing import Any

PACKAGES = ("schemas", "adapters", "streams", "domain", "agents", "api", "ops")
COMPILERS = frozenset({"compile", "search", "match", "fullmatch", "split", "findall", "finditer", "sub", "subn"})
ANCHORED = frozenset({"match", "fullmatch"})  # begin at one place; whatever else begins at every place
ALPHABET = (
    string.ascii_lowercase
    + string.ascii_uppercase
    + string.digits
    + "中，。 \t\n"
    + string.punctuation
    + "\x0b\x0c\r\u3000（【“一\ufffd\x01\xe9"
)
PUMPS_MAX = 24
REPEATS = (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT)


@dataclass(frozen=True, slots=True)
class Found:
    """An expression, where it stands, and the methods it is called by; without a call all of them are taken."""

    place: str
    pattern: re.Pattern[Any]
    methods: frozenset[str]

    @property
    def anywhere(self) -> bool:
        """Whether it is tried at every place of a text."""
        return not self.methods or not self.methods <= ANCHORED


def product_modules() -> list[ModuleType]:
    """Every module of the product, imported."""
    found = []
    for package in PACKAGES:
        root = importlib.import_module(package)
        found.append(root)
        found += [
            importlib.import_module(each.name)
            for each in pkgutil.walk_packages(root.__path__, f"{package}.")
            if not each.name.endswith("__main__")
        ]
    return found


def find_patterns(modules: list[ModuleType]) -> list[Found]:
    """The compiled ones of modules and classes, and those that are written inside of functions."""
    trees = _trees(modules)
    own_calls = {module: _calls([tree]) for module, tree in trees.items()}
    all_calls = _calls(list(trees.values()))
    found: dict[tuple[str | bytes, int], Found] = {}
    for module in modules:
        for name, pattern in _compiled(module):
            key = (pattern.pattern, pattern.flags)
            last = name.rpartition(".")[2]
            calls = own_calls[module] if last.startswith("_") else all_calls
            methods = frozenset(calls.get(last, ()))
            known = found.get(key)
            found[key] = Found(f"{module.__name__}.{name}", pattern, methods | (known.methods if known else methods))
    for module, tree in trees.items():
        for place, pattern, used in _written(module, tree):
            found.setdefault((pattern.pattern, pattern.flags), Found(place, pattern, frozenset(used)))
    return list(found.values())


def _trees(modules: list[ModuleType]) -> dict[ModuleType, ast.Module]:
    """The parsed modules that have to do with expressions: that write one, or have the name of a compiled one in their text."""
    names = {name.rpartition(".")[2] for module in modules for name, _ in _compiled(module)}
    speaks = re.compile(rf"\bre\b|\bMeta\b|\b(?:{'|'.join(names)})\b")
    sources = ((module, inspect.getsource(module)) for module in modules if Path(inspect.getfile(module)).stat().st_size)
    return {module: ast.parse(source) for module, source in sources if speaks.search(source)}


def _compiled(module: ModuleType) -> Iterator[tuple[str, re.Pattern[Any]]]:
    for name, value in vars(module).items():
        for pattern in _patterns_in(value):
            yield name, pattern
        if inspect.isclass(value) and value.__module__ == module.__name__:
            for member, inner in vars(value).items():
                for pattern in _patterns_in(inner):
                    yield f"{name}.{member}", pattern


def _patterns_in(value: Any) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, tuple | list | frozenset | set):
        for each in value:
            yield from _patterns_in(each)
    elif isinstance(value, Mapping) and type(value) is dict:
        for each in value.values():
            yield from _patterns_in(each)


def _calls(trees: list[ast.Module]) -> dict[str, set[str]]:
    """Per name of a pattern the methods it is used by, anywhere; ``map(PATTERN.match, …)`` counts as well."""
    calls: dict[str, set[str]] = {}
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in COMPILERS:
                name = (
                    node.value.id if isinstance(node.value, ast.Name) else node.value.attr if isinstance(node.value, ast.Attribute) else ""
                )
                calls.setdefault(name, set()).add(node.attr)
    return calls


def _written(module: ModuleType, tree: ast.Module) -> Iterator[tuple[str, re.Pattern[Any], set[str]]]:
    """``re.method(pattern, …)`` anywhere, and the patterns of ``Meta``; what is only known at run time is an "x" in the pattern."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Meta":
            for given in (each.value for each in node.keywords if each.arg == "pattern"):
                pattern = eval(compile(ast.Expression(given), "<pattern>", "eval"), {}, _Names(vars(module)))
                yield f"{module.__name__}:{node.lineno}", re.compile(pattern), {"search"}
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in COMPILERS and node.args):
            continue
        if not (isinstance(node.func.value, ast.Name) and node.func.value.id == "re"):
            continue
        pattern = eval(compile(ast.Expression(node.args[0]), "<pattern>", "eval"), {}, _Names(vars(module)))
        flags = _flags(node, module)
        if isinstance(pattern, str | bytes):
            method = node.func.attr
            yield f"{module.__name__}:{node.lineno}", re.compile(pattern, flags), set() if method == "compile" else {method}


def _flags(node: ast.Call, module: ModuleType) -> int:
    for argument in (*node.args[1:], *(keyword.value for keyword in node.keywords if keyword.arg == "flags")):
        if isinstance(argument, ast.Attribute | ast.BinOp) and "re." in ast.unparse(argument):
            return int(eval(compile(ast.Expression(argument), "<flags>", "eval"), {}, _Names(vars(module))))
    return 0


class _Names(dict[str, Any]):
    """Names of a module, and "x" for those of a function."""

    def __missing__(self, name: str) -> Any:
        return getattr(builtins, name, "x")


@dataclass(frozen=True, slots=True)
class Attack:
    """A string that grows: ``before + pump * n + after``."""

    before: str
    pump: str
    after: str

    def text(self, chars: int) -> str:
        """At least ``chars`` characters."""
        return self.before + self.pump * (chars // len(self.pump) + 1) + self.after


def attacks(pattern: re.Pattern[Any]) -> Iterator[Attack]:
    """Runs of what the pattern repeats, with what goes before a repetition in it, ending well, ending badly and ending nearly well."""
    source = pattern.pattern
    tree = sre_parser.parse(source, pattern.flags & ~re.UNICODE if isinstance(source, bytes) else pattern.flags)
    samples = _Samples(bool(pattern.flags & re.ASCII) or isinstance(source, bytes))
    pumps, befores = samples.of_repeats(tree)
    whole = samples.one(tree)
    blank = [" ", "\n", "\t", "0", "-", "<", "[", "(", "a", "a ", ". ", "中", '"']
    pumps = list(dict.fromkeys(each for each in (*pumps, whole, whole[:-1], *blank) if each))
    starts = list(dict.fromkeys(("", *befores)))
    ends = list(dict.fromkeys(("", "\x01", whole[-1:] + "\x01", "ж")))  # what is no word, and a word that no pattern has
    yield from (Attack(before, pump, after) for pump, before, after in product(pumps, starts, ends))


def bound_max(pattern: re.Pattern[Any]) -> int:
    """The largest number in its repetitions; an open end is none. Texts beyond it show what longer ones would."""
    source = pattern.pattern
    return _bound_max(sre_parser.parse(source, pattern.flags & ~re.UNICODE if isinstance(source, bytes) else pattern.flags))


def _bound_max(part: Any) -> int:
    if not isinstance(part, tuple | list | sre_parser.SubPattern):
        return 0
    if isinstance(part, tuple) and part[0] in REPEATS and isinstance(part[1], tuple):
        least, most, body = part[1]
        return max(int(least), 0 if most == sre.MAXREPEAT else int(most), _bound_max(body))
    return max(map(_bound_max, part), default=0)


class _Samples:
    """Strings that parts of a pattern match."""

    def __init__(self, ascii_only: bool) -> None:
        self._alphabet = [each for each in ALPHABET if each.isascii() or not ascii_only]

    def of_repeats(self, tree: Any) -> tuple[list[str], list[str]]:
        """What is repeated without a small bound, and what stands before each repetition."""
        pumps: list[str] = []
        befores: list[str] = []
        self._walk(tree, "", pumps, befores)
        joined = [left + right for left, right in product(dict.fromkeys(pumps), repeat=2) if left != right]
        return list(dict.fromkeys((*islice(dict.fromkeys(pumps), PUMPS_MAX), *joined[:PUMPS_MAX]))), list(dict.fromkeys(befores))[:6]

    def one(self, tree: Any, least: int = 1) -> str:
        """A short string that the pattern matches, as far as that can be told: looks around are left aside."""
        return "".join(self._item(op, argument, least) for op, argument in tree)

    def _walk(self, tree: Any, before: str, pumps: list[str], befores: list[str]) -> str:
        for op, argument in tree:
            if op in REPEATS:
                _, most, body = argument
                if most > 20:
                    pumps += [each for each in (self.one(body), *self._choices(body)) if each]
                    befores.append(before)
                self._walk(body, before, pumps, befores)
            elif op is sre.SUBPATTERN:
                self._walk(argument[3], before, pumps, befores)
            elif op is sre.ATOMIC_GROUP:
                self._walk(argument, before, pumps, befores)
            elif op is sre.BRANCH:
                for branch in argument[1]:
                    self._walk(branch, before, pumps, befores)
            elif op in (sre.ASSERT, sre.ASSERT_NOT):
                self._walk(argument[1], before, pumps, befores)
            before += self._item(op, argument, 1)
        return before

    def _choices(self, body: Any) -> list[str]:
        """Several characters of a class that is repeated: a word character, a digit, a blank, a bracket."""
        if len(body) != 1 or body[0][0] not in (sre.IN, sre.ANY, sre.NOT_LITERAL):
            return []
        op, argument = body[0]
        fitting = [each for each in "a0 \n-.中<[" if each in self._alphabet and self._fits(op, argument, each)]
        return fitting[:6]

    def _item(self, op: Any, argument: Any, least: int) -> str:
        if op is sre.LITERAL:
            return chr(argument)
        if op in (sre.IN, sre.ANY, sre.NOT_LITERAL):
            return next((each for each in self._alphabet if self._fits(op, argument, each)), _first_of(argument))
        if op in REPEATS:
            lowest, most, body = argument
            return self.one(body, least) * int(max(lowest, min(least, most, 1)))
        inner: Callable[[], Any] | None = {
            sre.SUBPATTERN: lambda: argument[3],
            sre.ATOMIC_GROUP: lambda: argument,
            sre.BRANCH: lambda: argument[1][0],
        }.get(op)
        return "" if inner is None else self.one(inner(), least)

    def _fits(self, op: Any, argument: Any, char: str) -> bool:
        if op is sre.ANY:
            return char != "\n"
        if op is sre.NOT_LITERAL:
            return bool(ord(char) != argument)
        return _in_class(argument, char)


def _in_class(items: Any, char: str) -> bool:
    negated = bool(items) and items[0][0] is sre.NEGATE
    for op, argument in items:
        if op is sre.LITERAL and ord(char) == argument:
            return not negated
        if op is sre.RANGE and argument[0] <= ord(char) <= argument[1]:
            return not negated
        if op is sre.CATEGORY and re.fullmatch(_CATEGORIES[argument], char):
            return not negated
    return negated


_CATEGORIES = {
    sre.CATEGORY_DIGIT: r"\d",
    sre.CATEGORY_NOT_DIGIT: r"\D",
    sre.CATEGORY_SPACE: r"\s",
    sre.CATEGORY_NOT_SPACE: r"\S",
    sre.CATEGORY_WORD: r"\w",
    sre.CATEGORY_NOT_WORD: r"\W",
}


def _first_of(argument: Any) -> str:
    for op, value in argument if isinstance(argument, list) else ():
        if op is sre.LITERAL:
            return chr(value)
        if op is sre.RANGE:
            return chr(value[0])
    return ""
