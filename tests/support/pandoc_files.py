"""Documents that pandoc writes from one Markdown source, for tests of the formats that it reads."""

import io
import subprocess
import zipfile

from adapters.parsing.core.programs import find_pandoc

HANDBOOK = """---
title: 值班手册
author: 张三
---

# 供水

泵房的备用电话是6620。

## Alarm levels

| Level | Response |
|-------|----------|
| red   | 15 min   |
| 黄色  | 2 小时   |

- check the valve
- 记录压力

Reserve pump

:   定义里的型号是PPR-9087

```
pump --start 3
```

A claim with a note.[^1]

> 引用的规定第八条

[^1]: 脚注里的编号是FN-204。
"""


def written(kind: str, source: str = HANDBOOK) -> bytes:
    """``source`` in a format by pandoc's name."""
    command = [find_pandoc(), "--from=markdown", f"--to={kind}", "--standalone", "--output=-"]
    return subprocess.run(command, input=source.encode(), capture_output=True, check=True).stdout


def open_document(content: str, mimetype: str = "application/vnd.oasis.opendocument.text", **parts: bytes) -> bytes:
    """An ODT file with this ``content.xml``."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", mimetype, zipfile.ZIP_STORED)
        archive.writestr(
            "META-INF/manifest.xml", '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'
        )
        archive.writestr("content.xml", content)
        for name, data in parts.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def text_document(body: str, doctype: str = "") -> str:
    """``content.xml`` of an ODT file with this body."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>{doctype}<office:document-content office:version="1.2"
 xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0">
<office:body><office:text>{body}</office:text></office:body></office:document-content>"""
