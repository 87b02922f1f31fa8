"""What of a page a reader does not see: the ``hidden`` attribute, ``display: none``, ``visibility: hidden``, alone or by a simple rule.

Style sheets are not computed. A rule counts when it names one tag, class or id outside of ``@media``; what another rule shows again (the
open one of several tabs) can be reached by a reader and is read.
"""

import re
from typing import Any

from adapters.parsing.core.hidden import HiddenContent

STYLE_CHARS_MAX = 1_000_000  # of one page's style sheets
EMPTY = "template"  # a tag whose content no reader of a page sees
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_PIECE = re.compile(r"[{}]|[^{}]+")
_DECLARATION = re.compile(r"(?:^|;)\s*(display|visibility|mso-hide)\s*:\s*([a-z-]+)", re.IGNORECASE)
_SIMPLE = re.compile(r"[\w-]*(?:[.#][\w-]+)?")
_NAME = re.compile(r"[.#]?[\w-]+")
_ALWAYS_SHOWN = ("html", "body")  # hidden until their scripts have run


def empty_hidden(root: Any, hidden: HiddenContent, unseen: frozenset[str]) -> None:
    """Takes the content of hidden elements out of the tree, unless ``hidden`` includes it; tags in ``unseen`` are read by nobody anyway."""
    rules = _hidden_selectors(root)
    for element in list(root.iter()):
        if not isinstance(element.tag, str) or element.tag in unseen or element.tag in _ALWAYS_SHOWN:
            continue
        if _is_hidden(element, rules):
            if any(text.strip() for text in element.itertext()):
                hidden.add("text")
            if hidden.leave_out:
                element.clear(keep_tail=True)
                element.tag = EMPTY


def _is_hidden(element: Any, rules: set[str]) -> bool:
    if element.get("hidden", "until-found").strip().lower() != "until-found":
        return True
    style = element.get("style", "")
    stated = _visibility_of(style) if style else None
    if stated is None and rules:
        classes = element.get("class", "").split()
        names = [element.tag, *(f".{one}" for one in classes), *(f"{element.tag}.{one}" for one in classes)]
        names += [f"#{element.get('id')}", f"{element.tag}#{element.get('id')}"] if element.get("id") else []
        return not rules.isdisjoint(names)
    return stated is False


def _visibility_of(style: str) -> bool | None:
    """Whether declarations show or hide an element; None when they say nothing about it."""
    said = {name.lower(): value.lower() for name, value in _DECLARATION.findall(style)}
    if not said:
        return None
    return said.get("display") != "none" and said.get("visibility") not in ("hidden", "collapse") and said.get("mso-hide") != "all"


def _hidden_selectors(root: Any) -> set[str]:
    """Selectors of the page's own style sheets that hide what they select."""
    sheets = "\n".join(element.text or "" for element in root.iter("style"))[:STYLE_CHARS_MAX]
    found: set[str] = set()
    shown: set[str] = set()
    depth, at_rule, selectors, pending = 0, False, "", ""
    for piece in _PIECE.findall(_COMMENT.sub("", sheets.replace("<!--", "").replace("-->", ""))):
        if piece == "{":
            depth, selectors, pending = depth + 1, pending.rpartition(";")[2].strip(), ""
            at_rule = at_rule or selectors.startswith("@")
        elif piece == "}":
            visible = _visibility_of(pending)
            if visible:
                shown.update(_NAME.findall(selectors))
            elif visible is False and not at_rule:
                found.update(one for part in selectors.split(",") if (one := part.strip()) and _SIMPLE.fullmatch(one))
            depth, selectors, pending = max(depth - 1, 0), "", ""
            at_rule = at_rule and depth > 0
        else:
            pending = piece
    return {one for one in found if shown.isdisjoint(_NAME.findall(one))}
