"""The stub provider as a process, and a stack's settings that make it the model."""

import os
import sys
from contextlib import AbstractAsyncContextManager

from ops.stack.launch import ReadyProcess, launch


def launch_stub_provider() -> AbstractAsyncContextManager[ReadyProcess]:
    """The stub provider on a free port, for as long as the block lasts."""
    return launch([sys.executable, "-m", "benchmarks.stub_provider", "--port", "0"], "listening ", os.environ)


def stub_model(url: str, model: str) -> dict[str, str]:
    """Settings: the stub at ``url`` answers as ``model``, and every question reaches it."""
    return {
        "CLAW_MODEL_PROVIDER": "openai",
        "CLAW_MODEL_BASE_URL": url,
        "CLAW_MODEL_API_KEY": "stub",
        "CLAW_MODEL_NAME": model,
        "CLAW_CACHE_ANSWERS": "off",
    }
