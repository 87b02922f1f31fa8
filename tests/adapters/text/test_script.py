"""Simplified or traditional."""

import pytest

from adapters.text.script import follow_script, is_traditional


@pytest.mark.parametrize("text", ["臺灣的資料庫課程從哪年開始？", "這個項目由誰負責", "圖書館 opening hours", "颱風什麼時候登陸"])
def test_a_traditional_text_is_told(text: str) -> None:
    assert is_traditional(text)
    assert follow_script("知识库中没有找到", text) == "知識庫中沒有找到"


@pytest.mark.parametrize("text", ["台湾的数据库课程从哪年开始？", "谁负责", "中山大学", "山上有木", "", "Kafka?", "乾隆是谁", "他在后面"])
def test_others_are_simplified(text: str) -> None:
    assert not is_traditional(text)
    assert follow_script("知识库中没有找到", text) == "知识库中没有找到"
