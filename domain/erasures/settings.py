"""The settings of erasures."""

from typing import Annotated, ClassVar

from msgspec import Meta

from schemas.settings.section import Section


class ErasureSettings(Section, frozen=True, kw_only=True):
    """Erasure of accounts and tenants."""

    prefix: ClassVar[str] = "CLAW_ERASURE_"

    settle_s: Annotated[
        float,
        Meta(
            ge=0,
            le=86_400,
            description="Time after the removal until everything is read once more: what was under way when it began arrives within it.",
        ),
    ] = 60.0
    recheck_s: Annotated[
        float, Meta(ge=1, le=604_800, description="Time until a check is repeated that could not read a place, or found what is to expire.")
    ] = 3_600.0
    keys_per_second: Annotated[int, Meta(ge=100, le=1_000_000, description="Keys of Redis that are read in a second.")] = 20_000
