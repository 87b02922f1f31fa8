"""The errors of widgets alone."""

from collections.abc import Mapping
from http import HTTPStatus

from schemas.errors import Code

WIDGET_ORIGIN_REFUSED = Code(
    HTTPStatus.FORBIDDEN,
    "Pages of this origin may not use this widget key",
    "Add the page's origin, such as https://www.example.org, to the origins of the key (PATCH /api/v1/api-keys/{key_id}).",
    "该来源的页面不能使用此组件密钥",
    "请将页面的来源（例如 https://www.example.org）加入该密钥的 origins（PATCH /api/v1/api-keys/{key_id}）。",
    code="widget_origin_refused",
)
WIDGET_KEY_REFUSED = Code(
    HTTPStatus.FORBIDDEN,
    "The API key of a widget is good for the questions of that widget alone",
    "Use POST /api/v1/widget/questions, or another API key: one that stands in no page.",
    "组件密钥只能用于该组件的提问",
    "请使用 POST /api/v1/widget/questions，或改用未公开在网页中的其他 API 密钥。",
    code="widget_key_refused",
)
WIDGET_KEY_NEEDED = Code(
    HTTPStatus.FORBIDDEN,
    "This route is for the API keys of widgets alone",
    "Use POST /api/v1/knowledge/query, or create a key with origins (POST /api/v1/api-keys with widget).",
    "该接口仅供组件密钥使用",
    "请使用 POST /api/v1/knowledge/query，或创建带有 origins 的密钥（POST /api/v1/api-keys 的 widget 字段）。",
    code="widget_key_needed",
)
WIDGET_QUESTIONS_USED = Code(
    HTTPStatus.TOO_MANY_REQUESTS,
    "The questions of this widget are used up for today",
    "Try again after midnight UTC; the owner of the key can raise its questions_per_day.",
    "该组件今天的提问次数已用完",
    "请在 UTC 零点之后重试；密钥的所有者可以提高 questions_per_day。",
    code="widget_questions_used",
)
WIDGET_SHARE_USED = Code(
    HTTPStatus.TOO_MANY_REQUESTS,
    "Visitors have used up their share of what the account of this widget may use",
    "Try again after Retry-After; the owner of the key can raise its account_share (PATCH /api/v1/api-keys/{key_id}).",
    "访客已用完该组件所属账户分配给他们的额度",
    "请在 Retry-After 之后重试；密钥的所有者可以提高 account_share（PATCH /api/v1/api-keys/{key_id}）。",
    code="widget_share_used",
)
WIDGET_EMPTY = Code(
    HTTPStatus.CONFLICT,
    "None of the knowledge bases of this widget is there any more",
    "Give the key other knowledge bases (PATCH /api/v1/api-keys/{key_id}).",
    "该组件的知识库均已不存在",
    "请为该密钥指定其他知识库（PATCH /api/v1/api-keys/{key_id}）。",
    code="widget_empty",
)

ERRORS: Mapping[str, Code] = {
    each.code: each
    for each in (WIDGET_ORIGIN_REFUSED, WIDGET_KEY_REFUSED, WIDGET_KEY_NEEDED, WIDGET_QUESTIONS_USED, WIDGET_SHARE_USED, WIDGET_EMPTY)
}
