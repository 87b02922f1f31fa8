"""The passwords of the embedded servers: made at the first start, kept in ``<home>/credentials``, which nobody else can read.

Loopback is no wall: every user of this machine reaches what listens there.
"""

import contextlib
import os
import secrets
import stat
from pathlib import Path

import msgspec
import structlog
from msgspec import Struct

from schemas.errors import ConfigurationError
from schemas.settings.section import Secret

USER = "claw"  # at both servers
PASSWORD_BYTES = 32
INSTANCE_BYTES = 6
FOLDER_MODE, FILE_MODE = 0o700, 0o600
OTHERS = 0o077

log = structlog.get_logger(__name__)


class _Stored(Struct, frozen=True, forbid_unknown_fields=True):
    kafka: str
    redis: str


class Credentials(Struct, frozen=True):
    """The passwords of the user ``claw``."""

    kafka: Secret
    redis: Secret


def make_password() -> Secret:
    """A password that needs no quoting anywhere."""
    return Secret(secrets.token_urlsafe(PASSWORD_BYTES))


def ensure_credentials(home: Path) -> Credentials:
    """The credentials of ``home``, made when there are none. Raises ConfigurationError when they are unusable, or others can read them."""
    path = credentials_path(home)
    with contextlib.suppress(FileExistsError):
        if not path.exists():
            made = _Stored(make_password().reveal(), make_password().reveal())
            create_private(path, msgspec.json.format(msgspec.json.encode(made), indent=2).decode() + "\n")
    found = read_credentials(home)
    if found is None:
        raise ConfigurationError(f"{path} has just been deleted: start again")
    return found


def read_credentials(home: Path) -> Credentials | None:
    """The credentials of ``home``; None when there are none. Raises ConfigurationError when they are unusable, or others can read them."""
    path = credentials_path(home)
    try:
        mode, text = path.stat().st_mode, path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read ({error.strerror}): run this as the user who runs the stack") from error
    if mode & OTHERS:
        raise ConfigurationError(f"{path} can be read by others: delete it with the stack stopped, and the next start makes new passwords")
    try:
        stored = msgspec.json.decode(text, type=_Stored)
    except msgspec.DecodeError as error:
        raise ConfigurationError(f"{path} is damaged: delete it with the stack stopped, and the next start makes new passwords") from error
    return Credentials(Secret(stored.kafka), Secret(stored.redis))


def ensure_instance(home: Path) -> str:
    """The name of the workers of ``home``, made when there is none: the same at every start, and of no other stack at the same Kafka."""
    path = home / "instance"
    with contextlib.suppress(FileExistsError):
        if not path.exists():
            create_private(path, secrets.token_hex(INSTANCE_BYTES) + "\n")
    return path.read_text(encoding="utf-8").strip()


def credentials_path(home: Path) -> Path:
    return home / "credentials"


def create_private(path: Path, text: str) -> None:
    """Create a file that nobody else can read, in one step: it is never half written. Raises FileExistsError when it exists."""
    side = path.with_name(f"{path.name}.{os.getpid()}")
    write_private(side, text)
    try:
        os.link(side, path)
    finally:
        side.unlink()


def write_private(path: Path, text: str) -> None:
    """Write a file that nobody else can read, also where one stood that others could."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE), "w", encoding="utf-8") as file:
        file.write(text)


def make_private_folder(folder: Path) -> None:
    """Create a folder that nobody else enters, or take the rights of others from the one that is there, and log it. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & OTHERS:
        folder.chmod(FOLDER_MODE)
        log.warning("folder_made_private", path=str(folder), mode_before=f"{mode:04o}", mode=f"{FOLDER_MODE:04o}")
