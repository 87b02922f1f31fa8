"""The errors of live configuration."""

from collections.abc import Mapping
from http import HTTPStatus

from schemas.errors import Code

CONFIG_UNKNOWN = Code(
    code="config_unknown",
    status=HTTPStatus.NOT_FOUND,
    title="There is no such configuration key",
    remedy="Use a key that GET /configs lists; docs/configs.md describes them.",
    title_zh="没有这个配置项",
    remedy_zh="请使用 GET /configs 列出的配置项；docs/configs.md 有说明。",
)
CONFIG_INTERNAL = Code(
    code="config_internal",
    status=HTTPStatus.CONFLICT,
    title="This configuration key has routes of its own",
    remedy="Change it with the route that detail names.",
    title_zh="此配置项由专门的接口管理",
    remedy_zh="请使用 detail 中给出的接口修改。",
)
CONFIG_PINNED = Code(
    code="config_pinned",
    status=HTTPStatus.CONFLICT,
    title="The environment sets this value",
    remedy="Remove the variable from the environment of the processes in detail and restart them, or change it there.",
    title_zh="该值由环境变量设定",
    remedy_zh="请从 detail 所列进程的环境中移除该变量并重启，或直接在环境中修改。",
)
CONFIG_SECRET_MISMATCH = Code(
    code="config_secret_mismatch",
    status=HTTPStatus.CONFLICT,
    title="Some processes could not decrypt this value",
    remedy="Give every process the same CLAW_CONFIG_SECRET and restart those in detail.",
    title_zh="部分进程无法解密该值",
    remedy_zh="请为所有进程设置相同的 CLAW_CONFIG_SECRET，并重启 detail 所列的进程。",
)
CONFIG_REVISION_UNKNOWN = Code(
    code="config_revision_unknown",
    status=HTTPStatus.NOT_FOUND,
    title="The key has no such revision",
    remedy="Use a revision that GET /configs/{key}/history lists; 0 is the default.",
    title_zh="该配置项没有这个版本",
    remedy_zh="请使用 GET /configs/{key}/history 列出的版本；0 表示默认值。",
)
CONFIG_UNREADABLE = Code(
    code="config_unreadable",
    status=HTTPStatus.CONFLICT,
    title="The encrypted value can no longer be decrypted",
    remedy="Set the value again: it was encrypted with a secret that is no longer in use.",
    title_zh="加密的值已无法解密",
    remedy_zh="该值是用已停用的密钥加密的，请重新设置。",
)
CONFIG_STAGED = Code(
    code="config_staged",
    status=HTTPStatus.CONFLICT,
    title="A change of this key is staged",
    remedy="Promote or abort the staged change first: POST /configs/{key}/promote or /abort.",
    title_zh="该配置项正在进行分阶段变更",
    remedy_zh="请先提升或中止分阶段变更：POST /configs/{key}/promote 或 /abort。",
)
CONFIG_NOT_STAGED = Code(
    code="config_not_staged",
    status=HTTPStatus.CONFLICT,
    title="No change of this key is staged",
    remedy="The stage has ended: GET /configs/{key}/history says how. Stage a change with POST /configs/{key}/stage.",
    title_zh="该配置项没有分阶段变更",
    remedy_zh="该阶段已结束，详见 GET /configs/{key}/history。可通过 POST /configs/{key}/stage 发起分阶段变更。",
)
CONFIG_STAGE_UNSUPPORTED = Code(
    code="config_stage_unsupported",
    status=HTTPStatus.CONFLICT,
    title="This key cannot be staged in this way",
    remedy="Stage it by share or by worker, or change it everywhere with PUT /configs/{key}.",
    title_zh="该配置项不支持这种分阶段方式",
    remedy_zh="请按比例或按进程分阶段，或使用 PUT /configs/{key} 直接修改。",
)

ERRORS: Mapping[str, Code] = {
    line.code: line
    for line in (
        CONFIG_UNKNOWN,
        CONFIG_INTERNAL,
        CONFIG_PINNED,
        CONFIG_SECRET_MISMATCH,
        CONFIG_REVISION_UNKNOWN,
        CONFIG_UNREADABLE,
        CONFIG_STAGED,
        CONFIG_NOT_STAGED,
        CONFIG_STAGE_UNSUPPORTED,
    )
}
