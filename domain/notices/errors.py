"""The errors of notices and webhooks alone."""

from http import HTTPStatus

from schemas.errors import Code

WEBHOOK_URL_REFUSED = Code(
    HTTPStatus.UNPROCESSABLE_ENTITY,
    "A webhook cannot have this address",
    "Use an https address of a public host, without a port, user or password.",
    "该地址不能用作 Webhook",
    "请使用公网主机的 https 地址，不含端口、用户名和密码。",
    "webhook_url_refused",
)
WEBHOOKS_FULL = Code(
    HTTPStatus.CONFLICT,
    "The account has too many webhooks",
    "Delete a webhook, or ask the operator to raise the limit that detail names.",
    "账户的 Webhook 数量已达上限",
    "请删除一个 Webhook，或请运维人员提高 detail 中的上限。",
    "webhooks_full",
)
WEBHOOK_DISABLED = Code(
    HTTPStatus.CONFLICT,
    "The webhook is switched off",
    "Switch it on with PATCH {enabled: true}, then repeat the request.",
    "该 Webhook 已停用",
    "请先用 PATCH {enabled: true} 启用它，再重复该请求。",
    "webhook_disabled",
)
REPLAY_TOO_LARGE = Code(
    HTTPStatus.UNPROCESSABLE_ENTITY,
    "The replay would send too many messages",
    "Choose a shorter time with since and until, or name the messages.",
    "重放的消息过多",
    "请用 since 和 until 缩短时间范围，或直接指定消息。",
    "replay_too_large",
)

ERRORS = {code.code: code for code in (WEBHOOK_URL_REFUSED, WEBHOOKS_FULL, WEBHOOK_DISABLED, REPLAY_TOO_LARGE)}
