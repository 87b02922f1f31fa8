"""One small handbook in every text format, with the values that must come out of each."""

import json
import subprocess
from email.message import EmailMessage
from pathlib import Path

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

7

A claim with a note.[^1]

> 引用的规定第八条

[^1]: 脚注里的编号是FN-204。
"""
VALUES = (
    *("值班手册", "张三", "供水", "泵房的备用电话是6620", "Alarm levels", "Response", "15 min", "黄色", "2 小时"),
    *("check the valve", "记录压力", "Reserve pump", "PPR-9087", "pump --start 3", "引用的规定第八条", "FN-204"),
)
WRITTEN_BY_PANDOC = ("rst", "org", "rtf", "odt", "epub", "docx", "html")
ROWS = (("产品", "单价"), ("阀门", "38.50"), ("弯头", "4.20"))
CATALOGUE = """<?xml version="1.0" encoding="UTF-8"?>
<catalogue version="v-2026"><product sku="PPR-9087"><name>阀门</name><price currency="CNY">38.50</price></product>
<product sku="PPR-9088"><name>弯头</name><price currency="CNY">4.20</price></product>
<note>保修期为<b>两年</b>自签收之日起</note></catalogue>
"""
CODEPAGE_RTF = r"""{\rtf1\ansi\ansicpg936\deff0{\fonttbl{\f0\fnil\fcharset134 SimSun;}}\uc1\pard
\f0 \'b1\'b8\'d3\'c3\'b5\'e7\'bb\'b0\'ca\'c76620\'a1\'a3\par
\u20013?\u25991? 2\'d4\'c2\par}"""


def convert_markdown(kind: str, source: str = HANDBOOK) -> bytes:
    """``source`` in a format by pandoc's name."""
    command = [find_pandoc(), "--from=markdown", f"--to={kind}", "--standalone", "--output=-"]
    return subprocess.run(command, input=source.encode(), capture_output=True, check=True).stdout


def write_samples(folder: Path, manifest: str) -> None:
    """The files and a manifest that lists their values."""
    cases: dict[str, tuple[bytes, tuple[str, ...]]] = {
        f"handbook.{kind}": (convert_markdown("epub3" if kind == "epub" else kind), VALUES) for kind in WRITTEN_BY_PANDOC
    }
    cases["handbook.md"] = (HANDBOOK.encode(), VALUES)
    cases["codepage.rtf"] = (CODEPAGE_RTF.encode("ascii"), ("备用电话是6620", "中文", "2月"))
    cases["prices.tsv"] = ("\n".join("\t".join(row) for row in ROWS).encode("gb18030"), tuple(value for row in ROWS for value in row))
    cases["prices.csv"] = ("\n".join(",".join(row) for row in ROWS).encode(), tuple(value for row in ROWS for value in row))
    cases["catalogue.xml"] = (CATALOGUE.encode(), ("PPR-9087", "阀门", "38.50", "CNY", "v-2026", "保修期为两年自签收之日起"))
    cases["note.txt"] = ("泵房的备用电话是6620。\n\n7\n".encode("gb18030"), ("泵房的备用电话是6620",))
    cases["mail.eml"] = (_mail(), ("上线安排", "ops@example.com", "all@example.com", "容量规划", "李雷"))
    rows = []
    for name, (data, values) in cases.items():
        (folder / name).write_bytes(data)
        rows.append(json.dumps({"file": name, "category": "sample", "expect": "text", "phrases": values}))
    (folder / manifest).write_text("\n".join(rows), encoding="utf-8")


def _mail() -> bytes:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = "上线安排", "运维组 <ops@example.com>", "all@example.com"
    message.set_content("请在本周五之前确认容量规划。")
    message.add_attachment("部门,联系人\n研发部,李雷\n".encode("gb18030"), maintype="text", subtype="csv", filename="联系人.csv")
    return bytes(message)
