"""Differences between the servers that speak OpenAI's wire format."""

from typing import Literal

from msgspec import Struct

# The field in which a server is told to think or not: ``thinking: {"type": …}`` (BigModel, DeepSeek), ``enable_thinking`` (DashScope),
# ``chat_template_kwargs`` (vLLM, SGLang, llama.cpp), ``reasoning_effort`` alone (OpenAI; Ollama, where "none" is off).
Control = Literal["thinking_type", "enable_thinking", "template", "effort"]


class Preset(Struct, frozen=True, kw_only=True):
    """One kind of server. ``hosts`` and ``port``: the ends of its public addresses or its own port, by which it is known under another
    provider's name too.
    """

    base_url: str  # "": it has no usual address
    model: str
    control: Control
    hosts: tuple[str, ...] = ()
    port: int = 0
    asks_for_usage: bool = True  # sends stream_options; BigModel always reports usage
    open_temperature: bool = False  # BigModel takes 0 < temperature < 1 only
    stops_max: int = 4  # stop sequences that are sent; when there are more, the text is cut here
    needs_key: bool = True
    limits_thinking: bool = True  # thinking counts against max_tokens; DashScope has a budget of its own for it


PRESETS: dict[str, Preset] = {
    "openai": Preset(base_url="https://api.openai.com/v1", hosts=("api.openai.com",), model="gpt-4o-mini", control="effort"),
    "zhipu": Preset(
        base_url="https://open.bigmodel.cn/api/paas/v4",
        hosts=("open.bigmodel.cn", "api.z.ai"),
        model="glm-4.7-flash",
        control="thinking_type",
        asks_for_usage=False,
        open_temperature=True,
        stops_max=1,
    ),
    "deepseek": Preset(base_url="https://api.deepseek.com", hosts=("api.deepseek.com",), model="deepseek-flash", control="thinking_type"),
    "dashscope": Preset(
        base_url="https://dashscope.aliyuncs.com/compatible-mode/v1",
        hosts=("dashscope.aliyuncs.com", "dashscope-intl.aliyuncs.com", "dashscope-us.aliyuncs.com"),
        model="qwen-plus",
        control="enable_thinking",
        limits_thinking=False,
    ),
    "ollama": Preset(base_url="http://127.0.0.1:11434/v1", port=11434, model="qwen3", control="effort", needs_key=False),
    "vllm": Preset(base_url="", model="", control="template", needs_key=False),
}
