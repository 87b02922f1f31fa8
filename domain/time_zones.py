"""Time zones by their IANA names."""

from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from schemas.errors import ConfigurationError


def read_time_zone(name: str, variable: str) -> tzinfo:
    """The time zone of that name. Raises ConfigurationError, which names the variable, for one that this system does not know."""
    if name == "UTC":
        return UTC  # also where the system has no time zones
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigurationError(
            f"{variable}: {name!r} is no time zone that this system knows; give an IANA name such as Asia/Shanghai,"
            " and install the system's tzdata where it is missing"
        ) from error
