"""Settings of the models that answer when the first one cannot."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from schemas.settings.section import Secret, Section


class FallbackModelSettings(Section, frozen=True, kw_only=True):
    """Who is asked when those before it do not answer; times and bounds are those of ``CLAW_MODEL_``."""

    provider: Annotated[
        Literal["", "local", "openai", "zhipu"], Meta(description="Asked when those before it did not begin to answer; empty: nobody.")
    ] = ""
    base_url: Annotated[str, Meta(description="Root of its chat API; empty takes the preset's.")] = ""
    api_key: Annotated[Secret, Meta(description="Key of this provider.")] = Secret()
    name: Annotated[str, Meta(description="Model name sent to it; empty takes the preset's.")] = ""
    permits: Annotated[int, Meta(ge=0, le=100_000, description="Calls in flight to it from all processes together; 0 = no bound.")] = 0
    price_prompt: Annotated[float, Meta(ge=0, le=1e6, description="Price of a million prompt tokens.")] = 0.0
    price_completion: Annotated[float, Meta(ge=0, le=1e6, description="Price of a million completion tokens.")] = 0.0


class SecondModelSettings(FallbackModelSettings, frozen=True, kw_only=True):
    """The answering model that is asked second."""

    prefix: ClassVar[str] = "CLAW_MODEL_SECOND_"


class ThirdModelSettings(FallbackModelSettings, frozen=True, kw_only=True):
    """The answering model that is asked third."""

    prefix: ClassVar[str] = "CLAW_MODEL_THIRD_"
