"""What AsyncAPI's own parser says of the document."""

import msgspec
import pytest

from api.http.asyncapi.document import document
from schemas.settings import KafkaSettings, NodeSettings, Settings
from tests.support.node_tools import run_node

NEWER = "asyncapi-latest-version"  # there is 3.1; what is written here is 3.0, which more tools read


@pytest.mark.timeout(400)  # the first time it is installed
def test_the_parser_finds_nothing():
    """Neither errors nor warnings, for brokers with passwords and with every topic; in a broken document it does find the mistake."""
    kafka = KafkaSettings(bootstrap="a:9093,b:9093", security_protocol="SASL_SSL")
    settings = Settings(kafka=kafka, node=NodeSettings(public_url="https://claw.example.org"))
    whole, broken = document(settings, private=True), document(settings)
    broken["components"]["schemas"]["Request"]["discriminator"] = {"propertyName": "kind"}  # as OpenAPI has it

    good, bad = run_node("asyncapi.mjs", [msgspec.json.encode(whole), msgspec.json.encode(broken)])
    assert [each for each in good["found"] if each["code"] != NEWER] == []
    assert good["version"] == "3.0.0"
    assert any(each["severity"] == "error" and "discriminator" in each["path"] for each in bad["found"])
