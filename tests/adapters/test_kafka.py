"""Credentials of Kafka become arguments of a client."""

import msgspec
import pytest

from adapters.kafka import connection_options
from schemas.errors import ConfigurationError
from schemas.settings import KafkaSettings
from schemas.settings.section import Secret


def test_credentials_become_client_arguments():
    kafka = KafkaSettings(bootstrap="a:1, b:2", security_protocol="SASL_SSL", sasl_username="u", sasl_password=Secret("p"))
    arguments = connection_options(kafka)
    assert arguments["bootstrap_servers"] == ["a:1", "b:2"]
    assert (arguments["sasl_mechanism"], arguments["sasl_plain_username"], arguments["sasl_plain_password"]) == ("SCRAM-SHA-512", "u", "p")
    assert arguments["ssl_context"].check_hostname


@pytest.mark.parametrize(
    ("change", "variable"),
    [
        ({"security_protocol": "SASL_SSL"}, "CLAW_KAFKA_SASL_USERNAME"),
        ({"security_protocol": "SSL", "ssl_ca_file": "/nowhere.pem"}, "CLAW_KAFKA_SSL_CA_FILE"),
        ({"security_protocol": "SSL", "ssl_cert_file": "/nowhere.pem"}, "CLAW_KAFKA_SSL_KEY_FILE"),
        ({"security_protocol": "SSL", "ssl_cert_file": "/n.pem", "ssl_key_file": "/n.pem"}, "CLAW_KAFKA_SSL_CERT_FILE"),
    ],
)
def test_an_unusable_connection_names_its_variable(change: dict[str, str], variable: str):
    with pytest.raises(ConfigurationError, match=variable):
        connection_options(msgspec.structs.replace(KafkaSettings(), **change))
