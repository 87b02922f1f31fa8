"""Errors of accounts alone."""

from http import HTTPStatus

from schemas.errors import Code

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

ERRORS = {each.code: each for each in (OPERATOR_ONLY, LAST_ADMIN, INVITATIONS_FULL, API_KEY_MALFORMED, ADDRESS_NOT_ALLOWED)}
