"""What the routes of live configuration use."""

import os
from dataclasses import dataclass

from api.area import Opening
from api.configs.announcements import StageAnnouncements
from api.core import Core
from domain.areas import CONFIG_RULES
from domain.configs.configs import ConfigWriter
from domain.configs.editor import ConfigEditor
from domain.configs.reports import ProcessReports
from domain.configs.stage_keeper import StageKeeper
from domain.configs.stages import ProcessName
from domain.configuration import report_configs

ID_BYTES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigPorts:
    """``editor`` changes configuration, ``keeper`` ends staged changes; ``process_id`` is this process in the reports."""

    core: Core
    editor: ConfigEditor
    keeper: StageKeeper
    process_id: str


def open_ports(opening: Opening) -> ConfigPorts:
    """Built from the core; this process reports what it runs."""
    core = opening.core
    writer = ConfigWriter(core.live.configs, core.records, core.publisher, core.clock, core.random_bytes, "api")
    reports = ProcessReports(core.redis, core.settings.redis.key_prefix)
    process_id = f"{os.getpid()}-{core.random_bytes(ID_BYTES).hex()}"
    process = ProcessName(process_id, "api")
    opening.run(report_configs(core.live, core.redis, process, core.clock, (core.metrics.registry,)))
    editor = ConfigEditor(core.live, CONFIG_RULES, writer, reports, core.read_models)
    announce = StageAnnouncements(core.read_models, core.publisher, core.clock, core.random_bytes).announce
    keeper = StageKeeper(editor, core.redis, core.settings.redis.key_prefix, core.clock, announce, holder=process_id)
    opening.run(keeper)
    return ConfigPorts(core=core, editor=editor, keeper=keeper, process_id=process_id)
