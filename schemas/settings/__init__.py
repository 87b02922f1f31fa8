"""Settings: frozen structs read once from the environment, one section a module.

The variable of a field is the section's prefix plus the field's name in capitals: ``KafkaSettings.port`` is ``CLAW_KAFKA_PORT``.
``docs/settings.md`` is generated from these modules, and the deployment files are held against them by a test.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast, get_type_hints

import msgspec
from msgspec import Struct

from schemas.errors import ConfigurationError
from schemas.settings.auth import AuthSettings
from schemas.settings.budget import BudgetSettings
from schemas.settings.cache import CacheSettings
from schemas.settings.caps import CapSettings
from schemas.settings.documents import DocumentSettings
from schemas.settings.http import HttpSettings
from schemas.settings.index import IndexSettings
from schemas.settings.kafka import KafkaSettings
from schemas.settings.limits import LimitSettings
from schemas.settings.models import ModelSettings, SecondModelSettings, ThirdModelSettings
from schemas.settings.node import NodeSettings
from schemas.settings.parsers import ParserSettings
from schemas.settings.quotas import QuotaSettings
from schemas.settings.redis import RedisSettings
from schemas.settings.retrieval import RetrievalSettings
from schemas.settings.section import Secret, Section
from schemas.settings.sockets import SocketSettings
from schemas.settings.workers import WorkerSettings

__all__ = [
    "AuthSettings",
    "BudgetSettings",
    "CacheSettings",
    "CapSettings",
    "DocumentSettings",
    "HttpSettings",
    "IndexSettings",
    "KafkaSettings",
    "LimitSettings",
    "ModelSettings",
    "NodeSettings",
    "ParserSettings",
    "QuotaSettings",
    "RedisSettings",
    "RetrievalSettings",
    "SecondModelSettings",
    "Section",
    "Settings",
    "SocketSettings",
    "ThirdModelSettings",
    "WorkerSettings",
    "sections_of",
]

WORKER_GROUPS = ("knowledge", "chat", "documents", "tables")  # the worker groups, split by the resource they wait for
PROMPT_OVERHEAD_TOKENS = 5_600  # of a prompt, for all but the passages

S = TypeVar("S", bound=Section)


class Settings(Struct, frozen=True, kw_only=True):
    """The configuration of a process, read once at its start. ``areas`` are the sections that areas of the domain declare, ``explicit`` the
    variables that are set in the environment: live configuration does not change their values.
    """

    node: NodeSettings = NodeSettings()
    kafka: KafkaSettings = KafkaSettings()
    redis: RedisSettings = RedisSettings()
    index: IndexSettings = IndexSettings()
    auth: AuthSettings = AuthSettings()
    limits: LimitSettings = LimitSettings()
    http: HttpSettings = HttpSettings()
    socket: SocketSettings = SocketSettings()
    quotas: QuotaSettings = QuotaSettings()
    caps: CapSettings = CapSettings()
    budget: BudgetSettings = BudgetSettings()
    model: ModelSettings = ModelSettings()
    model_second: SecondModelSettings = SecondModelSettings()
    model_third: ThirdModelSettings = ThirdModelSettings()
    retrieval: RetrievalSettings = RetrievalSettings()
    documents: DocumentSettings = DocumentSettings()
    parsers: ParserSettings = ParserSettings()
    cache: CacheSettings = CacheSettings()
    lanes: WorkerSettings = WorkerSettings()
    areas: tuple[Section, ...] = ()
    explicit: frozenset[str] = frozenset()

    @property
    def prompt_tokens_max(self) -> int:
        """The budget of a prompt in estimated tokens: passages, instructions, history and question."""
        return self.retrieval.context_tokens + PROMPT_OVERHEAD_TOKENS

    @property
    def encryption_secret(self) -> Secret:
        """The key that encrypts passwords of files."""
        return self.documents.secret or self.auth.secret

    def of(self, section: type[S]) -> S:
        """The section of this class; its defaults where the settings were not read with the area that declares it."""
        name = _FIELDS.get(section)
        if name is not None:
            return cast("S", getattr(self, name))
        return next((each for each in self.areas if isinstance(each, section)), section())

    def with_section(self, section: Section) -> "Settings":
        """The same with another section of its class."""
        name = _FIELDS.get(type(section))
        if name is not None:
            return msgspec.structs.replace(self, **{name: section})
        others = tuple(each for each in self.areas if type(each) is not type(section))
        return msgspec.structs.replace(self, areas=(*others, section))

    @classmethod
    def from_env(cls, environ: Mapping[str, str], areas: Sequence[type[Section]] = ()) -> "Settings":
        """Read every known variable, those of ``areas`` too.

        Raises ConfigurationError naming the variable and its limit, and for unknown ``CLAW_*`` names.
        """
        known: set[str] = set()
        sections: dict[str, Any] = {name: _read(section, environ, known) for name, section in sections_of(cls)}
        sections["areas"] = tuple(_read(section, environ, known) for section in areas)
        unknown = sorted(v for v in environ if v.startswith("CLAW_") and v not in known and not v.startswith(NOT_SETTINGS))
        if unknown:
            raise ConfigurationError(f"unknown setting {', '.join(unknown)}: docs/settings.md lists the known names")
        sections["explicit"] = frozenset(variable for variable in known if environ.get(variable, "") != "")
        return cls(**sections)


NOT_SETTINGS = ("CLAW_TEST_", "CLAW_DATA", "CLAW_AUDIT_DB")  # read by tests, benchmarks and `make audit` only


def sections_of(cls: type[Settings]) -> Iterator[tuple[str, type[Section]]]:
    """Field name and section type, in order; the sections of areas are not among them."""
    yield from ((name, kind) for name, kind in get_type_hints(cls).items() if name not in {"areas", "explicit"})


_FIELDS: dict[type[Section], str] = {section: name for name, section in sections_of(Settings)}


def _read(section: type[Section], environ: Mapping[str, str], known: set[str]) -> Section:
    """A section from the environment; its variables join ``known``."""
    values: dict[str, str] = {}
    for field in msgspec.structs.fields(section):
        variable = section.prefix + field.name.upper()
        known.add(variable)
        if environ.get(variable, "") != "":
            values[field.name] = environ[variable]
    return _convert(section, values)


def _convert(section: type[Section], values: dict[str, str]) -> Section:
    try:
        return msgspec.convert(values, section, strict=False, dec_hook=_decode_special)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$.")
        variable = section.prefix + path.rstrip("`").upper()
        raise ConfigurationError(f"{variable}: {message[0].lower()}{message[1:]}") from error


def _decode_special(kind: type, value: Any) -> Any:
    if kind is Secret:
        return Secret(str(value))
    if kind is Path:
        return Path(str(value))
    raise NotImplementedError(kind)
