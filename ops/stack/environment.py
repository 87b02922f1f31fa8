"""The environment of child processes: settings turned back into variables, none for what is not ours, and the signing secret."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from schemas.errors import ConfigurationError
from schemas.settings import NOT_SETTINGS, Settings, sections_of
from schemas.settings.section import Secret

SECRET_BYTES_MIN = 32  # HS256 takes no key shorter than its hash
SECRET_MODE = 0o600
HOME_VARIABLE = "CLAW_HOME"
SECRET_VARIABLE = "CLAW_AUTH_SECRET"  # noqa: S105 - the name of the variable


def environment_of(settings: Settings, base: Mapping[str, str]) -> dict[str, str]:
    """``base`` without its settings, plus every setting that is not its default or was set explicitly: ``Settings.from_env`` of it gives
    ``settings`` again.
    """
    environ = {name: value for name, value in base.items() if not name.startswith("CLAW_") or name.startswith(NOT_SETTINGS)}
    for chosen in (*(getattr(settings, name) for name, _ in sections_of(Settings)), *settings.areas):
        section = type(chosen)
        for field in msgspec.structs.fields(section):
            value, variable = getattr(chosen, field.name), section.prefix + field.name.upper()
            if value != field.default or variable in settings.explicit:
                environ[variable] = _text(value)
    return environ


def without_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """``environ`` for a program that is not ours, such as the broker: it has no use for our settings, and secrets are among them. The home
    folder stays, so that it is known whose it is.
    """
    return {name: value for name, value in environ.items() if not name.startswith("CLAW_") or name == HOME_VARIABLE}


def _text(value: Any) -> str:
    if isinstance(value, Secret):
        return value.reveal()
    return str(value).lower() if isinstance(value, bool) else str(value)


def with_secret(settings: Settings, environ: Mapping[str, str], *, create: bool) -> Settings:
    """``settings`` with a usable signing secret: the given one, that of the home folder, or (with ``create``) a new one stored there.

    Raises ConfigurationError when the given or stored one is empty or short, when others can read it, or when there is none.
    """
    given = settings.auth.secret
    if given or SECRET_VARIABLE in environ:
        _require_length(given.reveal(), SECRET_VARIABLE)
        return settings
    path = settings.node.home / "secret"
    if not path.exists():
        if not create:
            raise ConfigurationError(
                f"{SECRET_VARIABLE} is not set: give at least {SECRET_BYTES_MIN} random bytes, the same to every process"
            )
        _create(path)
    if path.stat().st_mode & 0o077:
        raise ConfigurationError(f"{path} can be read by others: chmod 600 it, or delete it to get a new one (all users log in again)")
    stored = path.read_text().strip()
    _require_length(stored, str(path))
    return msgspec.structs.replace(settings, auth=msgspec.structs.replace(settings.auth, secret=Secret(stored)))


def _require_length(secret: str, where: str) -> None:
    length = len(secret.encode())
    if length < SECRET_BYTES_MIN:
        raise ConfigurationError(f"{where}: {length} bytes are too short for a signing secret, at least {SECRET_BYTES_MIN} are needed")


def _create(path: Path) -> None:
    """Write a secret aside and link it into place: an interrupted start never leaves half a secret, two at once agree on one."""
    side = path.with_name(f"secret.{os.getpid()}")
    descriptor = os.open(side, os.O_WRONLY | os.O_CREAT | os.O_EXCL, SECRET_MODE)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
        os.link(side, path)
    except FileExistsError:
        return
    finally:
        side.unlink()
