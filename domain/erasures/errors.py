"""The errors of erasures alone."""

from collections.abc import Mapping
from http import HTTPStatus

from schemas.errors import Code

ERASURE_UNCONFIRMED = Code(
    HTTPStatus.FORBIDDEN,
    "The erasure is not confirmed",
    "Send your present password; an account without one sends the confirmation that detail names, within minutes of a new login.",
    "清除操作未经确认",
    "请提供当前密码；没有密码的账户请在重新登录后的几分钟内，按 detail 中的要求发送确认文字。",
    "erasure_unconfirmed",
)
HAND_OVER_FIRST = Code(
    HTTPStatus.CONFLICT,
    "The organisation would be left without an admin",
    "Make another member an admin first, or erase the whole organisation.",
    "该组织将没有管理员",
    "请先将另一名成员设为管理员，或清除整个组织。",
    "hand_over_first",
)
TENANT_HAS_INBOX = Code(
    HTTPStatus.CONFLICT,
    "An upstream system still writes for this tenant",
    "Remove the tenant from CLAW_LANE_INBOX_TENANTS and restart the workers, then repeat the request.",
    "仍有上游系统在为该租户写入数据",
    "请从 CLAW_LANE_INBOX_TENANTS 中移除该租户并重启工作进程，然后重复该请求。",
    "tenant_has_inbox",
)

ERRORS: Mapping[str, Code] = {each.code: each for each in (ERASURE_UNCONFIRMED, HAND_OVER_FIRST, TENANT_HAS_INBOX)}
