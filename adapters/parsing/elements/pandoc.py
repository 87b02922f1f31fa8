"""EPUB, ODT, RTF, reStructuredText and Org to HTML, by pandoc.

Pandoc runs in its sandbox, in which no directive of a document includes a file, and inherits every limit of the child that starts it.
"""

import json
import tempfile
from dataclasses import dataclass

from adapters.parsing.core.programs import find_pandoc, run_program
from adapters.parsing.core.text import MARKUP_CHARS_MAX, UTF8_BYTES_MAX
from schemas.errors import Refused

# The metadata on one line, then the body: a title is metadata to pandoc, and would be lost in its plain output.
TEMPLATE = "$meta-json$\n$body$\n"


@dataclass(frozen=True, slots=True)
class ConvertedPage:
    """``metadata`` as pandoc has it (texts, lists or mappings, with tags in the texts); ``body`` is HTML without a head."""

    metadata: dict[str, object]
    body: str


def convert_to_html(data: bytes, format_name: str, chars_max: int) -> ConvertedPage:
    """``format_name`` as pandoc has it.

    Raises Refused: ``document_unreadable``, ``document_too_complex``, ``document_type_unsupported`` without pandoc.
    """
    program = find_pandoc()
    if not program:
        raise Refused("document_type_unsupported", f"{format_name} is read by pandoc, which is not installed (package pypandoc_binary)")
    with tempfile.NamedTemporaryFile("w", suffix=".html") as template:
        template.write(TEMPLATE)
        template.flush()
        done = run_program(
            [
                program,
                "--sandbox",
                f"--from={format_name}",
                "--to=html",
                f"--template={template.name}",
                "--shift-heading-level-by=1",  # below the title
                "--wrap=none",
                "--quiet",
            ],
            data=data,
            output_bytes_max=chars_max * MARKUP_CHARS_MAX * UTF8_BYTES_MAX,
        )
    if done.code:
        raise Refused("document_unreadable", f"pandoc cannot read it: {done.message or f'exit code {done.code}'}")
    head, _, body = done.output.decode("utf-8", "replace").partition("\n")
    return ConvertedPage(json.loads(head), body)
