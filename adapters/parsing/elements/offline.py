"""``unstructured`` without the network: no report of its use, no model fetched on first use, no notice in the log."""

import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from adapters.parsing.elements import tokenizer

SILENT = {"DO_NOT_TRACK": "true", "SCARF_NO_ANALYTICS": "true", "UNSTRUCTURED_DISABLE_NOTICE": "1"}


def load_partitioner(module: str, function: str) -> Callable[..., list[Any]]:
    """``unstructured.partition.<module>.<function>``; takes a second the first time in a process."""
    os.environ.update(SILENT)
    sys.modules.setdefault("unstructured.nlp.tokenize", tokenizer)
    found: Callable[..., list[Any]] = getattr(import_module(f"unstructured.partition.{module}"), function)
    return found
