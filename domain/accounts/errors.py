"""The errors of accounts, their sessions, organisations and API keys."""

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

OPERATOR_ONLY = Code(
    HTTPStatus.FORBIDDEN,
    "Only an operator may change this",
    "Ask an operator of the installation.",
    "只有系统运维人员可以更改此项",
    "请联系系统运维人员。",
    "operator_only",
)
LAST_ADMIN = Code(
    HTTPStatus.CONFLICT,
    "The organisation would be left without an administrator",
    "Make another member an administrator first.",
    "该组织将没有管理员",
    "请先将另一名成员设为管理员。",
    "last_admin",
)
INVITATIONS_FULL = Code(
    HTTPStatus.CONFLICT,
    "There is no room for another invitation",
    "Delete invitations that are used or expired.",
    "邀请数量已达上限",
    "请删除已使用或已过期的邀请。",
    "invitations_full",
)
API_KEY_MALFORMED = Code(
    HTTPStatus.UNAUTHORIZED,
    "The API key is incomplete or mistyped",
    "Copy the whole key, from `claw_` to its last character.",
    "API 密钥不完整或有误",
    "请复制完整的密钥，从 `claw_` 到最后一个字符。",
    "api_key_malformed",
)
ADDRESS_NOT_ALLOWED = Code(
    HTTPStatus.FORBIDDEN,
    "This API key may not be used from this address",
    "Send the request from one of the key's address ranges, or create a key for this one.",
    "不能从该地址使用此 API 密钥",
    "请从该密钥允许的地址范围发送请求，或为该地址另建密钥。",
    "address_not_allowed",
)
EMAIL_UNVERIFIED = Code(
    HTTPStatus.FORBIDDEN,
    "The e-mail address of the account is not verified",
    "Open the link in the mail; POST /api/v1/auth/verify sends another one.",
    "账户的邮箱尚未验证",
    "请打开邮件中的链接；POST /api/v1/auth/verify 可重新发送。",
    code="email_unverified",
)
EMAIL_DOMAIN_REFUSED = Code(
    HTTPStatus.FORBIDDEN,
    "Addresses of this domain may not register here",
    "Register with an address of an allowed domain, or ask for an invitation.",
    "该域名的邮箱不能在此注册",
    "请使用允许的域名的邮箱注册，或索取邀请。",
    code="email_domain_refused",
)
OIDC_STATE_INVALID = Code(
    HTTPStatus.FORBIDDEN,
    "This browser began no such login, or more than ten minutes ago",
    "Begin the login again, in the browser where it shall end, with cookies allowed.",
    "该浏览器没有发起过此登录，或已超过十分钟",
    "请在同一浏览器中重新登录，并允许 Cookie。",
    code="oidc_state_invalid",
)
OIDC_EMAIL_MISSING = Code(
    HTTPStatus.FORBIDDEN,
    "The identity provider gave no e-mail address",
    "Ask the operator to request the scope email (CLAW_OIDC_SCOPES), or give your account there an address.",
    "身份提供方没有提供邮箱地址",
    "请运维人员申请 email 权限范围（CLAW_OIDC_SCOPES），或为您在该处的账户填写邮箱。",
    code="oidc_email_missing",
)
OIDC_EMAIL_TAKEN = Code(
    HTTPStatus.CONFLICT,
    "This e-mail address belongs to an account with another login",
    "Log in as you did before; an address alone does not prove that both are the same person.",
    "该邮箱属于以其他方式登录的账户",
    "请使用原来的方式登录；仅凭邮箱地址不能证明是同一个人。",
    code="oidc_email_taken",
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
        EMAIL_UNVERIFIED,
        EMAIL_DOMAIN_REFUSED,
        OIDC_STATE_INVALID,
        OIDC_EMAIL_MISSING,
        OIDC_EMAIL_TAKEN,
        OPERATOR_ONLY,
        LAST_ADMIN,
        INVITATIONS_FULL,
        API_KEY_MALFORMED,
        ADDRESS_NOT_ALLOWED,
    )
}
