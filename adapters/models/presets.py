"""Differences between the servers that speak OpenAI's wire format."""

from msgspec import Struct


class Preset(Struct, frozen=True, kw_only=True):
    """One kind of server."""

    base_url: str
    model: str
    asks_for_usage: bool  # sends stream_options; BigModel always reports usage
    open_temperature: bool = False  # BigModel takes 0 < temperature < 1 only
    stops_max: int = 4  # stop sequences that are sent; when there are more, the text is cut here


PRESETS: dict[str, Preset] = {
    "openai": Preset(base_url="https://api.openai.com/v1", model="gpt-4o-mini", asks_for_usage=True),
    "zhipu": Preset(
        base_url="https://open.bigmodel.cn/api/paas/v4", model="glm-4-flash", asks_for_usage=False, open_temperature=True, stops_max=1
    ),
}
