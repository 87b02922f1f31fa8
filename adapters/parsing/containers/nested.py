"""Files inside a file: parsed one after another; a file that cannot be parsed is left out, with a note that names it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from adapters.parsing.core.assembly import Assembly
from adapters.parsing.core.blocks import ParsedText, clean
from adapters.parsing.core.source import Allowance, Entry, check_depth
from schemas.documents import FileType
from schemas.errors import Refused

NAME_CHARS_MAX = 200
EntryParser = Callable[[Entry], ParsedText]  # any file to its structure; it comes as an argument, because it knows all formats
_REFUSAL_PRIORITY = (
    "password_wrong",
    "password_required",
    "document_too_complex",
    "ocr_required",
    "document_unreadable",
    "document_type_unsupported",
)


@dataclass(slots=True)
class Contents:
    """The text of the files inside ``entry``, each parsed by ``parse_inner``."""

    assembly: Assembly
    entry: Entry
    allowance: Allowance
    parse_inner: EntryParser
    refusals: list[tuple[str, Refused]] = field(default_factory=list)

    def read(self, data: bytes, name: str, *, media_type: FileType = "", charset: str = "") -> None:
        """Parse one file. Raises Refused when the whole document reached a limit; any other refusal leaves only this file out."""
        if not data:
            return
        try:
            check_depth(self.entry)
            parsed = self.parse_inner(
                Entry(
                    data=data,
                    bounds=self.entry.bounds,
                    media_type=media_type,
                    filename=name,
                    charset=charset,
                    password=self.entry.password,
                    depth=self.entry.depth + 1,
                    allowance=self.allowance,
                )
            )
        except Refused as refusal:
            self.leave_out(name, refusal)
        else:
            self.assembly.absorb(parsed, display_name(name))

    def leave_out(self, name: str, refusal: Refused) -> None:
        """Note that a file is missing. Raises ``refusal`` again when a limit of the whole document is the cause."""
        if self.allowance.is_exhausted:
            raise refusal
        self.refusals.append((display_name(name), refusal))

    def build(self, title: str = "") -> ParsedText:
        """The document. When no file gave any text, raises the refusal with the highest priority."""
        if self.assembly.is_empty and self.refusals:
            name, refusal = min(
                self.refusals,
                key=lambda one: _REFUSAL_PRIORITY.index(one[1].code) if one[1].code in _REFUSAL_PRIORITY else len(_REFUSAL_PRIORITY),
            )
            raise Refused(refusal.code, f"{name}: {refusal.detail or refusal.code}")
        for name, refusal in self.refusals:
            self.assembly.add_note("part_unreadable", f"{name}: {refusal.detail or refusal.code}")
        return self.assembly.build(title)


def display_name(name: str) -> str:
    """A file's name on one line, of bounded length."""
    name = " ".join(clean(name).split())
    return name if len(name) <= NAME_CHARS_MAX else f"{name[: NAME_CHARS_MAX - 1]}…"
