"""The errors of jobs."""

from collections.abc import Mapping
from http import HTTPStatus

from schemas.errors import Code

JOB_TIMED_OUT = Code(
    HTTPStatus.GATEWAY_TIMEOUT,
    "The work did not end within its time limit",
    "See what it waited for, then begin it again; CLAW_JOB_TIME_LIMIT_S is the limit.",
    "该任务未在时限内完成",
    "请查明其等待的原因后重新开始；时限由 CLAW_JOB_TIME_LIMIT_S 设定。",
    code="job_timed_out",
)
HEALTH_CHECK_FAILED = Code(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "The health check found something wrong",
    "Correct what detail names; `claw doctor` shows the same findings and more.",
    "健康检查发现问题",
    "请修复 detail 中列出的问题；`claw doctor` 会显示相同的以及更多的检查结果。",
    code="health_check_failed",
)

ERRORS: Mapping[str, Code] = {code.code: code for code in (JOB_TIMED_OUT, HEALTH_CHECK_FAILED)}
