"""Every kcat command in the pages, also where kcat is not installed: options it has, topics we have, and a file it can read."""

import re
from pathlib import Path

import pytest

from domain.areas import TOPICS
from domain.documents.inbox import is_inbox
from ops.commands.inbox import client_settings
from ops.stack.kafka import KafkaNode
from schemas.settings import KafkaSettings
from schemas.settings.section import Secret
from tests.support.kcat import kcat_commands

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCKS = [
    pytest.param(block, id=f"{page.name}-{number}")
    for page in PAGES
    for number, block in enumerate(re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL))
    if "kcat" in block
]
PROPERTIES = {
    "bootstrap.servers": r"[\w.-]+:\d+",
    "security.protocol": r"(?i:plaintext|sasl_plaintext|sasl_ssl|ssl)",
    "sasl.mechanisms": r"PLAIN|SCRAM-SHA-(256|512)",
    "sasl.username": r"\S+",
    "sasl.password": r"\S+",
    "ssl.ca.location": r"\S+",
    "enable.idempotence": "true",
    "acks": "all",
    "message.max.bytes": r"\d+",
    "group.id": r"\S+",
}


@pytest.mark.parametrize("block", BLOCKS)
def test_a_command_is_one_that_kcat_takes(block: str) -> None:
    commands = kcat_commands(block)
    assert len(commands) == len(re.findall(r"(?m)(?:^|\| )\s*kcat -", block))
    for options, files in commands:
        given = dict(options)
        (mode,) = [name for name in ("-C", "-P") if name in given]
        assert given["-F"] in ("kafka.conf", ".claw/kafka/client.conf")
        assert given["-t"] in {topic.name for topic in TOPICS} or is_inbox(given["-t"])
        names = {name for name, _ in options}
        if mode == "-C":
            assert (names <= {"-C", "-F", "-t", "-o", "-e", "-q"}, files) == (True, [])
            continue
        assert is_inbox(given["-t"])
        assert names <= {"-P", "-F", "-t", "-k", "-K", "-Z", "-H"}
        assert ("-k" in names) != ("-K" in names)
        assert ("-Z" in names) == ("-K" in names)  # a deletion says its key in the input
        assert all(re.fullmatch(r"(ce_[a-z]+|content-type)=.+", value) for name, value in options if name == "-H")
        assert len(files) == ("content-type" in block)


def test_the_file_of_a_stack_and_the_printed_settings_are_properties_of_librdkafka(tmp_path: Path) -> None:
    node = KafkaNode(tmp_path, tmp_path / "log", 9092, 9093, password=Secret("s3cret"))
    kafka = KafkaSettings(
        bootstrap="kafka.example.com:9092", security_protocol="SASL_SSL", sasl_mechanism="SCRAM-SHA-512", sasl_username="u"
    )
    for text in (node.client_configuration(), client_settings(kafka, "acme", "User:crm")):
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        properties = dict(line.split("=", 1) for line in lines)
        assert len(properties) == len(lines)
        for name, value in properties.items():
            assert re.fullmatch(PROPERTIES[name], value), (name, value)
