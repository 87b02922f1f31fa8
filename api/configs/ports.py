"""What the routes of live configuration use."""

import os
from dataclasses import dataclass

from api.area import Opening
from api.core import Core
from domain.areas import CONFIG_RULES
from domain.configs.configs import ConfigWriter
from domain.configs.editor import ConfigEditor
from domain.configs.reports import ProcessReports
from domain.configuration import report_configs

ID_BYTES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigPorts:
    """``editor`` changes configuration; ``process_id`` is this process in the reports."""

    core: Core
    editor: ConfigEditor
    process_id: str


def open_ports(opening: Opening) -> ConfigPorts:
    """Built from the core; this process reports what it runs."""
    core = opening.core
    writer = ConfigWriter(core.live.configs, core.records, core.publisher, core.clock, core.random_bytes, "api")
    reports = ProcessReports(core.redis, core.settings.redis.key_prefix)
    process_id = f"{os.getpid()}-{core.random_bytes(ID_BYTES).hex()}"
    opening.run(report_configs(core.live, core.redis, component="api", process_id=process_id, clock=core.clock))
    return ConfigPorts(core=core, editor=ConfigEditor(core.live, CONFIG_RULES, writer, reports, core.read_models), process_id=process_id)
