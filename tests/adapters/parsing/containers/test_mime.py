"""Encoded words of mail headers."""

import base64

import pytest

from adapters.parsing.containers.mime import decode_header


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("=?GB2312?B?1qrKtr/ixr3MqMnPz9+wssXF?=", "知识库平台上线安排"),
        ("Re: =?utf-8?Q?caf=C3=A9_?= =?utf-8?q?cr=C3=A8me?=, please", "Re: café crème, please"),
        ("=?utf-8?B?5p+Q?=\r\n =?utf-8?B?5p8=?= =?utf-8?B?kA==?=", "某某"),
        ("=?gbk?B?" + base64.b64encode("朱镕基".encode("gbk")).decode().rstrip("=") + "?= 讲话", "朱镕基 讲话"),
        ("=?unknown?Z?abc?=", "=?unknown?Z?abc?="),
        ("=?utf-8?B?!!!!?=", ""),
        ("plain\r\n\tfolded", "plain folded"),
    ],
)
def test_encoded_words(value, text):
    """Also torn in the middle of a character, without padding, or broken."""
    assert decode_header(value) == text
