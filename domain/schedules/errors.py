"""The errors of schedules."""

from collections.abc import Mapping
from http import HTTPStatus

from schemas.errors import Code

SCHEDULE_NEVER_FIRES = Code(
    HTTPStatus.UNPROCESSABLE_ENTITY,
    "This schedule would never run",
    "Choose a day that its months have: 30 February, for example, never comes.",
    "该计划永远不会运行",
    "请选择相应月份中存在的日期；例如 2 月 30 日永远不会到来。",
    code="schedule_never_fires",
)
SCHEDULES_FULL = Code(
    HTTPStatus.CONFLICT,
    "There are as many schedules as are allowed",
    "Delete a schedule that is not needed, or ask the operator to raise CLAW_SCHEDULE_SCHEDULES_MAX.",
    "计划数量已达上限",
    "请删除不再需要的计划，或请运维人员调高 CLAW_SCHEDULE_SCHEDULES_MAX。",
    code="schedules_full",
)
SCHEDULE_OVERLAP = Code(
    HTTPStatus.CONFLICT,
    "This run was skipped: an earlier run of the schedule had not ended",
    "Nothing, if the next run is soon enough; else give the schedule more time between two runs, or let runs wait (overlap queue).",
    "本次运行已跳过：该计划之前的一次运行尚未结束",
    "如果下一次运行足够及时，则无需处理；否则请拉长运行间隔，或让运行排队（overlap 设为 queue）。",
    code="schedule_overlap",
)

ERRORS: Mapping[str, Code] = {code.code: code for code in (SCHEDULE_NEVER_FIRES, SCHEDULES_FULL, SCHEDULE_OVERLAP)}
