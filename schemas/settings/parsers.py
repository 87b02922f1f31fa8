"""Settings of the processes that parse documents."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from schemas.settings.section import Section


class ParserSettings(Section, frozen=True, kw_only=True):
    """Confinement of the child processes that read documents."""

    prefix: ClassVar[str] = "CLAW_PARSE_"

    confinement: Annotated[
        Literal["auto", "require", "off"],
        Meta(
            description="Confinement by the kernel: `auto` takes every measure that this machine offers, `require` ends the worker when "
            "one of the full set is missing, `off` takes none but limits, which is a risk. `claw doctor` shows what is in force."
        ),
    ] = "auto"
