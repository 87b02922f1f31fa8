"""Labels of forms: cells that say what the cell beside them holds, such as "Name:", 电话 or "Order no.".

A form is laid out as a table and has no header: its first row is a label and its value like the others.
"""

import re
from collections.abc import Sequence

from adapters.text.language import Language

LABEL_CHARS_MAX = 40
ROWS_MAX = 200  # of a form: what is longer is a table
_LABELS_MIN = 0.8  # of the first cells of a form
_MORE_LABELS_MIN = 0.6  # of the other cells that stand where labels do
_COLONS = (":", "：")
_WORD = re.compile(
    r"[\w\s（(/、\-]{0,12}(?:姓名|名称|名|性别|年龄|民族|籍贯|学历|专业|职务|职称|职位|岗位|部门|单位|公司|电话|手机|邮箱|邮编|传真|地址|编号|号码|证号"
    r"|单号|日期|时间|期限|金额|数量|单价|合计|总价|总额|费用|备注|说明|签名|签字|型号|规格|品牌|类别|类型|状态|等级|颜色|尺寸|重量|地点|原因|事由|主题|版本"
    r"|负责人|联系人|申请人|经办人|审批人|领用人|收件人|寄件人|法定代表人|开户行|账号|[^\W\d_]{1,4}号|网址|内容)[）)]?",
)
_WORD_EN = re.compile(
    r"(?:[A-Za-z][\w.'-]* ){0,3}(?:name|date|time|phone|telephone|tel|mobile|fax|e-?mail|address|city|country|department|dept|title"
    r"|position|company|amount|total|price|quantity|qty|number|no\.?|id|code|status|type|model|version|author|owner|contact|reason|remarks?"
    r"|notes?|subject|location|weight|size|colou?r|signature|supplier|customer|manager)",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"[-+(¥$€£]{0,2}\d[\d,.]{0,30}%?\)?$")


def is_label(cell: str) -> bool:
    """Whether a cell names what stands beside it: it ends with a colon, or with a word for a property of a person or thing."""
    if not cell or len(cell) > LABEL_CHARS_MAX:
        return False
    return cell.endswith(_COLONS) or _WORD.fullmatch(cell) is not None or _WORD_EN.fullmatch(cell) is not None


def is_form(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the rows of a table are labels with their values.

    A header has labels only, and data below it; a form has labels in its first column, or in every other one, also in its first row.
    Without colons, words decide, and a second column of numbers under a name is data.
    """
    rows = [row for row in rows[: ROWS_MAX + 1] if any(row)]
    if not 1 < len(rows) <= ROWS_MAX or not all(len(row) > 1 or row[0].endswith(_COLONS) for row in rows[:1]):
        return False
    firsts = [row[0] for row in rows]
    if not is_label(firsts[0]) or sum(map(is_label, firsts)) < _LABELS_MIN * len(rows) or is_label(_cell(rows[0], 1)):
        return False
    if all(cell.endswith(_COLONS) for cell in firsts if is_label(cell)):
        return True
    width = max(map(len, rows))
    if width == 2:  # noqa: PLR2004  labels and values
        beside = [_cell(row, 1) for row in rows]
        return not all(map(_NUMBER.match, filter(None, beside[1:]))) and not re.fullmatch(r"(?:19|20)\d\d年?", beside[0])
    others = [row[at] for row in rows for at in range(2, len(row), 2) if row[at]]
    return width % 2 == 0 and bool(others) and sum(map(is_label, others)) >= _MORE_LABELS_MIN * len(others)


def tell_pairs(cells: Sequence[str], language: Language) -> list[str]:
    """The cells of a row without column names: a label with its value, a first cell with the only other one."""
    colon = "：" if language == "zh" else ": "
    said = [cell for cell in cells if cell]
    told: list[str] = []
    at = 0
    while at < len(said):
        names = is_label(said[at]) or len(said) == 2  # noqa: PLR2004
        if names and at + 1 < len(said) and not is_label(said[at + 1]):
            told.append(said[at].rstrip(":： ") + colon + said[at + 1])
            at += 2
        else:
            told.append(said[at])
            at += 1
    return told


def _cell(row: Sequence[str], at: int) -> str:
    return row[at] if at < len(row) else ""
