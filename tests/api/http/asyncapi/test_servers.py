"""Servers and security schemes, by the settings."""

import pytest

from api.http.asyncapi.servers import broker_schemes, broker_servers, websocket_server
from schemas.settings import KafkaSettings, NodeSettings


@pytest.mark.parametrize(
    ("protocol", "mechanism", "scheme"),
    [
        ("SASL_PLAINTEXT", "SCRAM-SHA-512", "scramSha512"),
        ("SASL_SSL", "SCRAM-SHA-256", "scramSha256"),
        ("SASL_SSL", "PLAIN", "plain"),
    ],
)
def test_a_broker_with_passwords_names_its_mechanism(protocol, mechanism, scheme):
    kafka = KafkaSettings(bootstrap="a:9092, b:9093", security_protocol=protocol, sasl_mechanism=mechanism)
    servers = broker_servers(kafka)
    assert [server["host"] for server in servers.values()] == ["a:9092", "b:9093"]
    assert {server["protocol"] for server in servers.values()} == {"kafka-secure" if protocol == "SASL_SSL" else "kafka"}
    assert all(server["security"] == [{"$ref": "#/components/securitySchemes/sasl"}] for server in servers.values())
    assert broker_schemes(kafka)["sasl"]["type"] == scheme


def test_a_broker_with_certificates():
    kafka = KafkaSettings(bootstrap="a:9092", security_protocol="SSL", ssl_cert_file="client.pem")
    assert broker_servers(kafka)["kafka"]["protocol"] == "kafka-secure"
    assert broker_schemes(kafka)["certificate"]["type"] == "X509"
    assert "client.pem" not in str(broker_servers(kafka)) + str(broker_schemes(kafka))


def test_an_open_broker_asks_for_nothing():
    kafka = KafkaSettings(port=9192)
    assert broker_servers(kafka)["kafka"]["host"] == "127.0.0.1:9192"
    assert "security" not in broker_servers(kafka)["kafka"]
    assert broker_schemes(kafka) == {}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://claw.example.org", {"host": "claw.example.org", "protocol": "wss"}),
        ("http://ada:pw@claw.local:8080/base/", {"host": "claw.local:8080", "protocol": "ws", "pathname": "/base"}),
        ("", {"host": "{api}", "protocol": "ws"}),
    ],
)
def test_the_websocket_is_where_the_public_url_says(url, expected):
    server = websocket_server(NodeSettings(public_url=url))["websocket"]
    assert {name: server.get(name) for name in expected} == expected
    assert ("variables" in server) == (not url)
