"""A question is encoded off the loop, and goes on without its dense vector."""

import pytest

from adapters.embedders import QueryEncoder
from schemas.errors import Unavailable
from schemas.settings import RetrievalSettings


async def test_a_question_is_encoded_off_the_loop():
    """Terms, vector and keywords; the loop goes on meanwhile."""
    encoder = QueryEncoder(RetrievalSettings())
    with pytest.raises(Unavailable):
        await encoder.encode("early")
    await encoder.start()
    encoded = await encoder.encode("数据库连接池的最大连接数是多少？")
    assert encoded.keywords == ("数据库连接池", "最大连接数")
    assert len(encoded.sparse.indices) > 3
    assert encoded.dense.shape == (encoder.dimensions,)
    await encoder.stop()


async def test_a_question_goes_on_without_its_dense_vector(provider):
    """BM25 alone still answers when the embedding provider does not."""
    provider.status = 503
    encoder = QueryEncoder(RetrievalSettings(embedding="openai", embedding_base_url=provider.url, embedding_dimensions=4))
    await encoder.start()
    encoded = await encoder.encode("which topic")
    assert not encoded.dense.any()
    assert len(encoded.sparse.indices) > 0
    await encoder.stop()
