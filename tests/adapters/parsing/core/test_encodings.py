"""Encodings: what was written comes back, whatever it was written with, whatever its label says, however short or damaged it is."""

import codecs
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.parsing.core.encodings import decode, encoding_of

SIMPLIFIED = (
    "数据库连接池的最大连接数是一百，超过以后新的请求会排队等待。请在本周五之前确认第三季度的容量规划。"
    "知识库平台上线安排：产品经理负责需求，研发部负责开发和测试，运维部负责部署。如果客户的订单出现问题，请及时联系客服人员。"
    "二零二四年公司的销售收入增长了百分之十五，主要来自华东和华南市场。"
)
TRADITIONAL = (
    "資料庫連線池的最大連線數是一百，超過以後新的請求會排隊等待。請在本週五之前確認第三季度的容量規劃。"
    "知識庫平台上線安排：產品經理負責需求，研發部負責開發和測試。如果客戶的訂單出現問題，請及時聯絡客服人員。"
)
JAPANESE = (
    "データベースの接続数は最大で百です。それを超えると新しい要求は待ち行列に入ります。設定を確認してから、もう一度お試しください。"
    "この製品の保証期間は購入日から二年間です。"
)
KOREAN = "데이터베이스 연결은 최대 백 개입니다. 그 이상이 되면 새로운 요청은 기다려야 합니다. 설정을 확인한 다음 다시 시도하십시오."
GERMAN = "Die Größe des Verbindungspools beträgt hundert. Für Änderungen müssen Sie zuerst die Übersicht öffnen und das Häkchen löschen. "
FRENCH = (
    "La taille du pool de connexions est limitée à cent. Après ce délai, les requêtes sont mises en attente : "
    "réessayez plus tard, s’il vous plaît. "
)
RUSSIAN = "Размер пула соединений ограничен сотней. После этого новые запросы ждут в очереди, пока не освободится место."

WRITTEN = [
    *((SIMPLIFIED, codec) for codec in ("gb18030", "gbk", "utf-8", "utf-16-le", "utf-16-be", "utf-32-le")),
    *((TRADITIONAL, codec) for codec in ("big5", "big5hkscs", "gb18030", "utf-8", "utf-16-le")),
    *((JAPANESE, codec) for codec in ("cp932", "euc_jp", "utf-8", "utf-16-be", "iso2022_jp")),
    *((KOREAN, codec) for codec in ("cp949", "utf-8")),
    *((text, codec) for text in (GERMAN, FRENCH) for codec in ("cp1252", "utf-8", "utf-16-le")),
    *((RUSSIAN, codec) for codec in ("cp1251", "koi8_r", "utf-8")),
]


@pytest.mark.parametrize(("text", "codec"), WRITTEN)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_what_was_written_comes_back(text, codec, data):
    """Any piece of any length from a few words on, alone or among ASCII lines, without any hint."""
    length = data.draw(st.integers({GERMAN: 12, FRENCH: 12, RUSSIAN: 24}.get(text, 8), len(text)))
    start = data.draw(st.integers(0, len(text) - length))
    piece = (
        data.draw(st.sampled_from(["", "id,name\n1,", "# Title\n\n"]))
        + text[start : start + length]
        + data.draw(st.sampled_from(["", "\n", " 2024-01-01\n"]))
    )
    assert decode(piece.encode(codec)) == piece


@pytest.mark.parametrize(("text", "codec"), WRITTEN)
@pytest.mark.parametrize(
    "label", ["", "utf-8", "iso-8859-1", "us-ascii", "gb2312", "big5", "shift_jis", "unicode", "x-unknown", "zlib", "\0"]
)
def test_a_wrong_label_does_no_harm(text, codec, label):
    """Senders lie, or do not know; a whole paragraph says more than they do."""
    assert decode((text * 3).encode(codec), label) == text * 3


@pytest.mark.parametrize("word", ["你好", "姓名", "数据库", "联通", "账户123", "备注：无"])
def test_words_of_gbk_are_not_taken_for_something_else(word):
    """The first cell of a table, the name of a file."""
    assert decode(word.encode("gbk")) == word


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        ("können\näöüß", "latin-1"),
        ("Größe", "latin-1"),
        ("naïve café", "latin-1"),
        ("41 °C", "latin-1"),
        ("50 € für 20 m²", "cp1252"),
        ("Übersicht", "latin-1"),
    ],
)
def test_a_few_western_accents(text, codec):
    """Between ASCII letters they are accents, not halves of Chinese characters."""
    assert decode(text.encode(codec)) == text


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Ελληνικό κείμενο για δοκιμή", "iso-8859-7"),
        ("ภาษาไทยสำหรับการทดสอบ", "tis-620"),
        ("Zażółć gęślą jaźń", "iso-8859-2"),
        ("Привет, мир", "iso-8859-5"),
        ("עברית לבדיקה", "windows-1255"),
        ("ひらがな", "shift_jis"),
        ("中心", "big5"),
        ("中文", "hz"),
        ("nb: é", "utf-7"),
    ],
)
def test_a_label_that_fits_is_believed(text, label):
    """Where the bytes alone could be many things."""
    assert decode(text.encode(label), label) == text


@pytest.mark.parametrize("mark", ["utf-8-sig", "utf-16", "utf-32", "utf-16-be"])
def test_byte_order_marks_go_first(mark):
    """Whatever the label, the page or the bytes after it say."""
    data = (codecs.BOM_UTF16_BE if mark == "utf-16-be" else b"") + '<meta charset="unicode">表'.encode(mark)
    assert decode(data, "gbk", html=True) == '<meta charset="unicode">表'


@pytest.mark.parametrize(
    "label",
    [
        '<meta charset="gb2312">',
        "<META HTTP-EQUIV=Content-Type content='text/html; charset=GBK'>",
        '<?xml version="1.0" encoding="gb18030"?>',
    ],
)
def test_a_page_names_its_encoding(label):
    """GB2312 on a page means all of GB18030: the emoji and the rare name are in none of the smaller ones."""
    page = f"<html>{label}<p>镕基 😀 䶮</p>" if label.startswith(("<m", "<M")) else f"{label}<p>镕基 😀 䶮</p>"
    assert encoding_of(page.encode("gb18030"), html=True) == "gb18030"
    assert decode(page.encode("gb18030"), "utf-8", html=True) == page


def test_a_page_that_says_utf_16_byte_by_byte_lies():
    """It could not be read as far as its label."""
    assert decode('<meta charset="utf-16">表格'.encode(), html=True) == '<meta charset="utf-16">表格'


def test_damage_in_utf8_stays_where_it_is():
    """A few broken bytes do not turn a document into another encoding; what is readable is kept."""
    text = decode("正常开头\n".encode() + b"\x00\xff\xfe\xc3\x28\xed\xa0\x80" * 50 + "\n正常结尾\n".encode())
    assert text.startswith("正常开头\n")
    assert text.endswith("\n正常结尾\n")
    assert decode("甲乙丙丁".encode() + b"\xff" + "戊己庚辛".encode()) == "甲乙丙丁\ufffd戊己庚辛"


@pytest.mark.parametrize("codec", ["utf-8", "gb18030", "big5hkscs", "cp932", "utf-16-le"])
def test_a_character_cut_off_at_the_end_is_dropped(codec):
    """As a truncated file has it."""
    text = JAPANESE if codec == "cp932" else TRADITIONAL
    assert decode(text.encode(codec)[:-1]) == text[:-1]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["", "utf-8", "gbk", "utf-16", "hz", "idna", "rot13", "base64"]), st.booleans())
def test_any_bytes_are_some_text(data, declared, html):
    """Never an error, never a byte order mark."""
    assert not decode(data, declared, html=html).startswith("\ufeff")


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0\ufeff"), max_size=300))
def test_utf8_with_its_label_is_itself(text):
    """Anything at all."""
    assert decode(text.encode(), "utf-8") == text or not re.search("[\u0800-\uffff]", text)


@pytest.mark.parametrize("data", [b"\x81" * 2_000_000, b"a" * 2_000_000 + b"\xe9", b"<meta " * 300_000 + b"\xe9", b"\x80\n" * 700_000])
def test_big_files_take_bounded_time(data):
    """The decision looks at a sample."""
    started = time.process_time()
    decode(data, html=True)
    assert time.process_time() - started < 3
