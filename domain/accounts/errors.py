"""The errors of sessions and of accounts' proofs."""

from collections.abc import Mapping
from http import HTTPStatus

from schemas.errors import Code

SESSION_ENDED = Code(
    HTTPStatus.UNAUTHORIZED,
    "This session has ended",
    "Log in again.",
    "该会话已结束",
    "请重新登录。",
    code="session_ended",
)
SESSION_REUSED = Code(
    HTTPStatus.UNAUTHORIZED,
    "This refresh token was used before, so its session was ended",
    "Log in again. If you did not use the token twice, somebody has a copy of it: change your password.",
    "该刷新令牌曾被使用，其会话已被终止",
    "请重新登录。如果您没有重复使用该令牌，说明它已被他人复制：请修改密码。",
    code="session_reused",
)
REFRESH_TOKEN_INVALID = Code(
    HTTPStatus.UNAUTHORIZED,
    "The refresh token is not valid",
    "Send the newest refresh token of the session, or log in again.",
    "刷新令牌无效",
    "请发送该会话最新的刷新令牌，或重新登录。",
    code="refresh_token_invalid",
)
CSRF_FAILED = Code(
    HTTPStatus.FORBIDDEN,
    "The request has no valid CSRF token",
    "Send the csrf_token of GET /api/v1/auth/session in the header X-CSRF-Token.",
    "请求缺少有效的 CSRF 令牌",
    "请在请求头 X-CSRF-Token 中发送 GET /api/v1/auth/session 返回的 csrf_token。",
    code="csrf_failed",
)
ORIGIN_REFUSED = Code(
    HTTPStatus.FORBIDDEN,
    "Pages of this origin may not use a session cookie here",
    "Call the API from a page of its own host, or ask the operator to list the origin in CLAW_CORS_ORIGINS.",
    "该来源的页面不能在此使用会话 Cookie",
    "请从本接口所在主机的页面调用，或请运维人员将该来源加入 CLAW_CORS_ORIGINS。",
    code="origin_refused",
)
OLD_PASSWORD_WRONG = Code(
    HTTPStatus.FORBIDDEN,
    "The old password is not right",
    "Check it, or reset the password by mail.",
    "当前密码不正确",
    "请检查密码，或通过邮件重置密码。",
    code="old_password_wrong",
)

ERRORS: Mapping[str, Code] = {
    each.code: each
    for each in (
        SESSION_ENDED,
        SESSION_REUSED,
        REFRESH_TOKEN_INVALID,
        CSRF_FAILED,
        ORIGIN_REFUSED,
        OLD_PASSWORD_WRONG,
    )
}
