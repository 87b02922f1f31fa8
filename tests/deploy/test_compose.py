"""docker-compose.yml, the Dockerfile and the example environments, held against the settings and the rules of the house."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from adapters.redis.commands import COMMANDS
from domain.sections import SECTIONS, load_settings
from schemas.settings import WORKER_GROUPS, Settings, sections_of
from schemas.settings.section import Secret

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
ENTRY_FILES = [ROOT / "deploy" / "compose.env.example", ROOT / "deploy" / "tls.env.example"]
OURS = sorted(name for name, service in SERVICES.items() if str(service["image"]).startswith("claw:"))
ALL_SECTIONS = (*(section for _, section in sections_of(Settings)), *SECTIONS)
KNOWN = {section.prefix + field.name.upper(): field for section in ALL_SECTIONS for field in msgspec.structs.fields(section)}
SECRETS = {name for name, field in KNOWN.items() if isinstance(field.default, Secret)}
REFERENCE = re.compile(r"\$\{(?P<name>[A-Z_]+)(?:(?P<operator>:[?-])(?P<word>[^}]*))?\}")
NOT_IN_CONTAINERS = {
    "CLAW_HOME",  # the image sets it
    "CLAW_LOG_BYTES_MAX",  # the engine bounds the logs of containers
    "CLAW_LOG_FILES_MAX",
    "CLAW_KAFKA_PORT",  # of the embedded broker
    "CLAW_KAFKA_HEAP_MIB",
    "CLAW_REDIS_PORT",  # of the embedded server
    "CLAW_KAFKA_SSL_CA_FILE",  # TLS is for servers elsewhere: deploy/tls.env.example
    "CLAW_KAFKA_SSL_CERT_FILE",
    "CLAW_KAFKA_SSL_KEY_FILE",
    "CLAW_REDIS_SSL_CA_FILE",
    "CLAW_QDRANT_SSL_CA_FILE",
}


def strings(value: Any) -> Iterator[str]:
    """Every string inside a YAML value, keys included."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield str(name)
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, str):
        yield value


def interpolated(value: Any, environment: dict[str, str]) -> Any:
    """The value as compose sees it once variables are filled in; an unset required one is a KeyError."""

    def fill(match: re.Match[str]) -> str:
        given = environment.get(match["name"], "")
        if given or match["operator"] == ":-":
            return given or match["word"]
        raise KeyError(match["name"])

    if isinstance(value, dict):
        return {name: interpolated(item, environment) for name, item in value.items()}
    if isinstance(value, list):
        return [interpolated(item, environment) for item in value]
    return REFERENCE.sub(fill, value).replace("$$", "$") if isinstance(value, str) else value


def environment_of(path: Path) -> dict[str, str]:
    """The assignments of an env file, commented ones included."""
    return dict(re.findall(r"^#?([A-Z][A-Z_]+)=(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE))


SECRET_VALUES = dict.fromkeys(
    (match["name"] for text in strings(SERVICES) for match in REFERENCE.finditer(text) if match["operator"] == ":?"), "0f" * 32
)


class TestSpecification:
    def test_is_a_valid_compose_file(self) -> None:
        """The schema of the Compose Specification (see compose-spec.NOTICE) accepts the file with its variables filled in."""
        jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is a development dependency of the deployment tests")
        schema = json.loads((Path(__file__).parent / "compose-spec.json").read_bytes())
        validator = jsonschema.Draft202012Validator(schema)
        filled = interpolated(COMPOSE, SECRET_VALUES)
        assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(filled)] == []

    def test_references_meet(self) -> None:
        """Networks, volumes and dependencies that a service names exist."""
        for name, service in SERVICES.items():
            assert set(service["networks"]) <= COMPOSE["networks"].keys(), name
            assert set(service.get("depends_on", {})) <= SERVICES.keys(), name
            sources = {volume.partition(":")[0] for volume in service.get("volumes", [])}
            assert {source for source in sources if not source.startswith(".")} <= COMPOSE["volumes"].keys(), name
            assert all((ROOT / source).exists() for source in sources if source.startswith(".")), name

    def test_dependencies_wait_for_health(self) -> None:
        """Nobody starts beside a broker that only exists; what is waited for has a health check."""
        for service in SERVICES.values():
            for needed, terms in service.get("depends_on", {}).items():
                assert terms["condition"] in {"service_healthy", "service_completed_successfully"}
                assert needed == "topics" or "test" in SERVICES[needed]["healthcheck"]


class TestSettings:
    def test_every_variable_is_a_setting(self) -> None:
        """A renamed setting must not live on in a deployment file, where a process would refuse to start with it."""
        texts = [*strings(COMPOSE), DOCKERFILE, *(path.read_text(encoding="utf-8") for path in ENTRY_FILES)]
        named = {name for text in texts for name in re.findall(r"\bCLAW_[A-Z0-9_]+\b", text)}
        assert named - KNOWN.keys() == set()

    def test_every_setting_can_be_given_to_a_container(self) -> None:
        """What docs/settings.md offers has an effect in containers too, but for what only the embedded stack or TLS needs."""
        passed = {name for service in OURS for name in SERVICES[service]["environment"]}
        assert KNOWN.keys() - passed == NOT_IN_CONTAINERS

    @pytest.mark.parametrize("name", OURS)
    def test_a_process_accepts_its_environment(self, name: str) -> None:
        """The very environment of the service passes the settings' own checks."""
        filled = interpolated(SERVICES[name]["environment"], SECRET_VALUES)
        settings = load_settings({variable: str(value) for variable, value in filled.items() if value is not None})
        assert settings.kafka.servers == "kafka:9092"
        assert settings.redis.location == "redis://redis:6379/0"

    @pytest.mark.parametrize("path", ENTRY_FILES, ids=lambda path: path.name)
    def test_example_files_are_accepted(self, path: Path) -> None:
        given = {name: value for name, value in environment_of(path).items() if name.startswith("CLAW_")}
        load_settings(given)

    def test_the_entry_file_names_what_compose_needs(self) -> None:
        """Copying it and filling in the blanks is enough; every blank that has no default is there."""
        offered = environment_of(ENTRY_FILES[0])
        referenced = {match["name"] for text in strings(SERVICES) for match in REFERENCE.finditer(text)}
        assert referenced <= offered.keys()
        assert all(offered[name] == "" for name in SECRET_VALUES)

    def test_every_lane_has_a_worker(self) -> None:
        commands = [SERVICES[name]["command"] for name in OURS]
        assert {command[2] for command in commands if command[:2] == ["worker", "--lane"]} == set(WORKER_GROUPS)
        assert ["api"] in commands
        assert ["topics", "apply"] in commands

    def test_prometheus_finds_every_process(self) -> None:
        """Jobs name services that exist, on the ports those processes are told to use."""
        jobs = {job["job_name"]: job for job in yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text())["scrape_configs"]}
        workers = {name for name in OURS if name.startswith("worker-")}
        assert set(jobs["worker"]["dns_sd_configs"][0]["names"]) == workers
        assert all(
            SERVICES[name]["environment"]["CLAW_METRICS_PORT"] == str(jobs["worker"]["dns_sd_configs"][0]["port"]) for name in workers
        )
        assert jobs["api"]["dns_sd_configs"][0]["names"] == ["api"]
        assert SERVICES["api"]["environment"]["CLAW_METRICS_PORT"] == str(jobs["api"]["dns_sd_configs"][0]["port"])


class TestSecrets:
    def test_no_secret_has_a_default(self) -> None:
        """Every credential is asked for; an unset one stops compose with its name."""
        for name, service in SERVICES.items():
            for variable, value in service.get("environment", {}).items():
                if variable in SECRETS or re.search(r"PASSWORD|SECRET|API_KEY|AUTH$", variable):
                    assert value is None or re.fullmatch(r"\$\{[A-Z_]+:\?[^}]*\}", value), f"{name}: {variable}"

    @pytest.mark.parametrize("missing", sorted(SECRET_VALUES))
    def test_a_missing_secret_stops_the_start(self, missing: str) -> None:
        with pytest.raises(KeyError, match=missing):
            interpolated(SERVICES, {name: value for name, value in SECRET_VALUES.items() if name != missing})

    def test_passwords_are_in_no_argument(self) -> None:
        """Arguments show in process lists and in `docker inspect` of everybody."""
        for service in SERVICES.values():
            words = [*strings(service.get("command", [])), *strings(service["healthcheck"])]
            assert not any(match["name"] in SECRET_VALUES for word in words for match in REFERENCE.finditer(word))

    @pytest.mark.parametrize(
        ("secret", "holders"),
        [
            ("CLAW_AUTH_SECRET", {"api", "worker-chat"}),  # the latter signs the links in mails
            ("CLAW_MAIL_PASSWORD", {"worker-chat"}),
            ("CLAW_DOCUMENT_SECRET", {"api", "worker-documents"}),
            ("CLAW_MODEL_API_KEY", {"worker-chat", "worker-knowledge"}),
            ("CLAW_MODEL_SECOND_API_KEY", {"worker-chat", "worker-knowledge"}),
            ("CLAW_MODEL_THIRD_API_KEY", {"worker-chat", "worker-knowledge"}),
            ("CLAW_QDRANT_API_KEY", {"worker-knowledge"}),
            ("CLAW_RETRIEVAL_EMBEDDING_API_KEY", {"worker-knowledge", "worker-documents"}),
        ],
    )
    def test_a_credential_goes_only_where_it_is_used(self, secret: str, holders: set[str]) -> None:
        assert {name for name in OURS if secret in SERVICES[name]["environment"]} == holders


class TestStores:
    def test_redis_has_one_user_with_what_the_product_sends(self) -> None:
        (script,) = SERVICES["redis"]["command"]
        users = [line.split() for line in script.splitlines() if line.strip().startswith("user ")]
        assert users[0] == ["user", "default", "off"]
        assert users[1] == ["user", "claw", "on", '">$$REDISCLI_AUTH"', "~*", "&*", "-@all", *(f"+{command}" for command in COMMANDS)]
        assert len(users) == 2

    def test_kafka_lets_nobody_in_without_a_password_and_nobody_do_what_was_not_granted(self) -> None:
        """The listeners without credentials are on the container's own loopback."""
        kafka = SERVICES["kafka"]["environment"]
        protocols = dict(pair.split(":") for pair in kafka["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(","))
        for listener in kafka["KAFKA_LISTENERS"].split(","):
            name, _, address = listener.partition("://")
            assert protocols[name].startswith("SASL") or address.startswith("127.0.0.1:")
        assert kafka["KAFKA_AUTHORIZER_CLASS_NAME"].endswith(".StandardAuthorizer")
        assert "KAFKA_ALLOW_EVERYONE_IF_NO_ACL_FOUND" not in kafka


@pytest.mark.parametrize("name", SERVICES)
class TestHardening:
    def test_image_is_pinned(self, name: str) -> None:
        """A version down to the patch, or our own of this version."""
        repository, _, tag = SERVICES[name]["image"].rpartition(":")
        assert repository
        assert re.match(r"v?\d+\.\d+\.\d+(-[a-z]+)?$", tag), tag

    def test_user_is_not_root(self, name: str) -> None:
        user = SERVICES[name]["user"].partition(":")[0]
        assert user not in {"", "0", "root"}

    def test_has_no_privileges(self, name: str) -> None:
        service = SERVICES[name]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert not service.keys() & {"privileged", "cap_add", "network_mode", "pid", "ipc", "devices"}
        assert not any("docker.sock" in volume for volume in service.get("volumes", []))

    def test_root_file_system_is_read_only(self, name: str) -> None:
        """Kafka's image writes its configuration into itself; nobody else has an excuse."""
        assert SERVICES[name].get("read_only", False) is (name != "kafka")

    def test_is_bounded(self, name: str) -> None:
        """Memory, CPU, processes and logs all have a limit, and a dead container comes back."""
        service = SERVICES[name]
        assert {"cpus", "memory", "pids"} <= service["deploy"]["resources"]["limits"].keys()
        assert {"max-size", "max-file"} <= service["logging"]["options"].keys()
        assert service["restart"] == ("on-failure:5" if name == "topics" else "unless-stopped")

    def test_has_a_health_check(self, name: str) -> None:
        check = SERVICES[name]["healthcheck"]
        assert check == {"disable": True} if name == "topics" else check["test"]

    def test_publishes_only_the_doors(self, name: str) -> None:
        """The API, and on loopback Grafana and Prometheus; no port of a store ever."""
        ports = interpolated(SERVICES[name].get("ports", []), SECRET_VALUES)
        assert bool(ports) is (name in {"api", "prometheus", "grafana"})
        assert all(port.startswith("127.0.0.1:") for port in ports)

    def test_stores_have_no_way_out(self, name: str) -> None:
        if name in {"kafka", "redis", "qdrant", "topics", "worker-tables"}:
            assert SERVICES[name]["networks"] == ["backbone"]
            assert COMPOSE["networks"]["backbone"]["internal"] is True


class TestDockerfile:
    def test_base_images_are_pinned(self) -> None:
        bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
        assert len(bases) == 2
        assert len(set(bases)) == 1
        assert re.fullmatch(r"python:3\.11\.\d+-slim", bases[0])

    def test_ends_as_the_user_that_compose_says(self) -> None:
        users = re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE)
        assert users == [SERVICES["api"]["user"]] == ["10001:10001"]

    def test_copies_every_package_and_nothing_else_is_in_the_context(self) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
        allowed = re.findall(r"^!(\S+)", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE)
        copied = " ".join(re.findall(r"^COPY (?!--)(.+) \S+$", DOCKERFILE, re.MULTILINE)).split()
        assert set(packages) <= set(copied)
        assert set(copied) == set(allowed)

    def test_installs_what_the_lock_says(self) -> None:
        assert DOCKERFILE.count("uv sync --frozen --no-dev") == 2
        assert re.search(r"\buv==\d+\.\d+\.\d+\b", DOCKERFILE)

    def test_image_has_the_version_of_the_project(self) -> None:
        version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
        assert {SERVICES[name]["image"] for name in OURS} == {f"claw:{version}"}

    def test_bakes_no_secret(self) -> None:
        assert not any(name in DOCKERFILE for name in SECRETS)
