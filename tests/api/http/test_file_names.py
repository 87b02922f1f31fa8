"""Names of files in every form in which clients have sent one."""

import base64
from urllib.parse import quote

import pytest

from api.http.file_names import decode_name, parse_disposition

NAME = "产品 价目表.csv"
WORD = base64.b64encode(NAME.encode())
QUOTED_PRINTABLE = "".join(f"={byte:02X}" for byte in "价目.txt".encode("gbk")).encode()


@pytest.mark.parametrize(
    ("parameter", "name"),
    [
        (f'filename="{NAME}"'.encode(), NAME),
        (f'filename="{NAME}"'.encode("gbk"), NAME),
        (f'filename="{NAME}"'.encode("gb18030"), NAME),
        ('filename="價目總覽表.csv"'.encode("big5"), "價目總覽表.csv"),
        ('filename="résumé.pdf"'.encode("latin-1"), "résumé.pdf"),
        (f"filename*=UTF-8''{quote(NAME)}".encode(), NAME),
        (f"filename*=utf-8'zh-CN'{quote(NAME)}".encode(), NAME),
        (f"filename*=\"UTF-8''{quote(NAME)}\"".encode(), NAME),
        (f"filename*={quote(NAME)}".encode(), NAME),
        (f"filename=\"fallback.bin\"; filename*=UTF-8''{quote(NAME)}".encode(), NAME),
        (f"filename*=GBK''{quote('价目.csv', encoding='gbk')}".encode(), "价目.csv"),
        (b"filename*=zlib''%E4%BB%B7", "价"),  # a codec that is no charset
        (b"filename*0*=UTF-8''%E4%BB%B7; filename*1*=%E7%9B%AE; filename*2=.csv", "价目.csv"),
        (f'filename="{quote(NAME)}"'.encode(), NAME),
        (b'filename="a%20b.txt"', "a b.txt"),
        (b'filename="a%22b.txt"', 'a"b.txt'),
        (b'filename="100%.csv"', "100%.csv"),
        (b'filename="50%25 off.csv"', "50%25 off.csv"),  # a blank: nobody escaped it
        (b'filename="=?utf-8?B?' + WORD + b'?="', NAME),
        (b"filename==?UTF-8?b?" + WORD + b"?=", NAME),
        (b'filename="=?GBK?Q?' + QUOTED_PRINTABLE + b'?="', "价目.txt"),
        (b'filename="=?utf-8?B?5?="', "=?utf-8?B?5?="),
        (b'filename="=?nonsense?B?' + WORD + b'?="', NAME),
        (b'filename="&#20215;&#30446;.csv"', "价目.csv"),
        (NAME.encode().decode("latin-1").join(('filename="', '"')).encode(), NAME),
        (rb'filename="C:\docs\a.txt"', r"C:\docs\a.txt"),
        (rb'filename="a\"b.txt"', 'a"b.txt'),
        (b'filename="a;b.csv"', "a;b.csv"),
        (b"filename=plain.txt", "plain.txt"),
        (b'FileName = "x.txt"', "x.txt"),
        (b'filename=""', ""),
        (b"", ""),
    ],
)
def test_names_are_read_as_people_see_them(parameter: bytes, name: str):
    assert parse_disposition((b'form-data; name="file"; ' + parameter).decode("latin-1")) == ("file", name)


@pytest.mark.parametrize("raw", [b"\xff", b"\x80\x80", b"\xc3\x28.txt", bytes(range(256))])
def test_any_bytes_become_a_name(raw: bytes):
    assert decode_name(raw)
