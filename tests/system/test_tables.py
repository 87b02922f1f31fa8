"""Tables from upload to answer over HTTP: counted, filtered, compared, looked up, and told with the rows behind it."""

import asyncio
import io
import json
from typing import Any

import aiohttp
import openpyxl
import pytest

from claw_client import Client

CSV = """驿站,所属路线,床位,床位费（元）,可充电
松风驿,北线,24,80,是
石门驿,北线,12,65,否
渡口驿,南线,40,95,是
云顶驿,南线,18,120,是
杏花驿,西线,30,70,否
"""


def workbook() -> bytes:
    """Two hundred rows, a region merged over fifty each."""
    made, data = openpyxl.Workbook(), io.BytesIO()
    sheet = made.active
    sheet.append(["Depot", "Region", "Trucks"])
    for n in range(200):
        sheet.append([f"Depot {n + 1}", ("North", "East", "South", "West")[n // 50] if n % 50 == 0 else None, 3 + n % 17])
    for first in range(2, 202, 50):
        sheet.merge_cells(start_row=first, start_column=2, end_row=first + 49, end_column=2)
    made.save(data)
    return data.getvalue()


async def upload(client: Client, document: str, name: str, data: bytes) -> None:
    form = aiohttp.FormData()
    form.add_field("document_id", document)
    form.add_field("file", data, filename=name, content_type="application/octet-stream")
    async with client.session.post(f"{client.documents}/upload", data=form, headers=client.headers) as answer:
        assert answer.status == 202, await answer.text()
    await client.wait_indexed(document)


async def ask(client: Client, question: str) -> dict[str, Any]:
    body = {"question": question}
    path = f"/api/v1/knowledge/{client.knowledge_base}/query"
    async with client.session.post(path, json=body, headers=client.headers) as answer:
        assert answer.ok, await answer.text()
        return dict(await answer.json())


async def explain(client: Client, reply: str) -> dict[str, Any]:
    async with client.session.get(f"/api/v1/knowledge/queries/{reply}/explain", headers=client.headers) as answer:
        assert answer.ok, await answer.text()
        return dict(await answer.json())


@pytest.mark.timeout(240)
async def test_a_model_reads_the_result_and_the_rows_it_rests_on(owner: Client) -> None:
    """The prompt has what was computed; the passage is cited from the chunks of its rows."""
    await upload(owner, "hostels", "驿站.csv", CSV.encode())
    await upload(owner, "depots", "depots.xlsx", workbook())
    expected: tuple[tuple[str, str, list[str]], ...] = (
        (
            "床位最多的驿站是哪个？",
            "“床位”最大的是：渡口驿（40）。",
            ["驿站：渡口驿；所属路线：南线；床位：40；床位费（元）：95；可充电：是"],
        ),
        ("北线有几个驿站？", "符合条件（所属路线：北线）的共 2 行，全表 5 行。", ["驿站：松风驿", "驿站：石门驿"]),
        ("床位费低于75元的驿站有哪些？", "共 2 行：", ["驿站：石门驿", "驿站：杏花驿"]),
        ("云顶驿可以充电吗？", "表中对应的行：", ["驿站：云顶驿"]),
        ("How many depots are in the South region?", "50 of 200 rows match (Region: South).", ["Depot: Depot 101"]),
        ("How many trucks does Depot 147 have?", "The row of the table:", [f"Depot: Depot 147; Region: South; Trucks: {3 + 146 % 17}"]),
        ("What is the total number of trucks?", f"{sum(3 + n % 17 for n in range(200)):,}", []),
    )
    answers = await asyncio.gather(*(ask(owner, question) for question, _, _ in expected))
    for (question, computed, rows), answered in zip(expected, answers, strict=True):
        prompt = json.dumps((await explain(owner, answered["reply_id"]))["prompt"], ensure_ascii=False)
        assert computed in prompt, question
        assert all(row in prompt for row in rows), question
        assert {each["document_id"] for each in answered["citations"]} <= {"hostels", "depots"}
