"""Passages and settings the tests of answering models share."""

from schemas.chats import Passage
from schemas.settings import ModelSettings
from schemas.settings.section import Secret

KEY = "sk-test-0123456789abcdef"


def passage(marker: int, text: str, title: str = "", headings: tuple[str, ...] = ()) -> Passage:
    return Passage(
        marker=marker,
        chunk_id=f"chunk-{marker}",
        knowledge_base_id="kb",
        document_id=f"document-{marker}",
        version=marker * 10,
        ordinal=0,
        title=title,
        headings=headings,
        score=10.0 / marker,
        text=text,
    )


PASSAGES = (
    passage(1, "黄鹤楼位于湖北省武汉市。它始建于公元223年，最初是军事瞭望楼。现在的建筑于1985年落成。", "黄鹤楼", ("名胜", "楼阁")),
    passage(2, "Kafka stores records in partitions. Each partition is an ordered log. It was open sourced in 2011.", "Kafka"),
    passage(3, "臺灣的資料庫課程從2003年開始。課程由王教授主持，每週三小時。", "資料庫課程"),
)


def model_settings(root: str, name: str, **changes: object) -> ModelSettings:
    values: dict[str, object] = {
        "provider": "openai",
        "base_url": f"{root}/v1",
        "api_key": Secret(KEY),
        "name": name,
        "connect_timeout_s": 2.0,
        "idle_timeout_s": 5.0,
        "total_timeout_s": 20.0,
    }
    return ModelSettings(**(values | changes))  # type: ignore[arg-type]
