"""The child of the encoder: it computes what the encoder says, and only when nothing else wants the core."""

import os
import sys

import numpy as np
import pytest

from adapters.children.passages import PassageEncoder
from adapters.embedders import multilingual, sentences
from adapters.embedders.local import prepare_embeddings
from schemas.errors import Unavailable
from schemas.settings import RetrievalSettings

TEXTS = ["员工每年享有十五天带薪休假。食堂每天中午十二点开始供应午餐。", "a\ud800b", ""]


async def test_passages_are_encoded_in_an_idle_child():
    """The same vectors in half precision, and no more once it was stopped."""
    folder = multilingual.default_folder()
    prepare_embeddings(RetrievalSettings(), "local")
    made = PassageEncoder(folder)
    await made.start()
    try:
        found = await made.embed_passages(TEXTS)
        (child,) = made._pool._children
        if sys.platform == "linux":
            assert os.sched_getscheduler(child.process.pid) == os.SCHED_IDLE
    finally:
        await made.stop()
    expected = sentences.load(folder).embed_passages([text.replace("\ud800", "") for text in TEXTS])
    assert [rows.shape for rows in found] == [rows.shape for rows in expected]
    assert all(np.allclose(one, other, atol=2e-3) for one, other in zip(found, expected, strict=True))
    with pytest.raises(Unavailable):
        await made.embed_passages(TEXTS)
