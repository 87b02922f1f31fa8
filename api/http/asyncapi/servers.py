"""The servers of the AsyncAPI document: the brokers and the API as the settings name them, with how to authenticate and no credential."""

from typing import Any
from urllib.parse import urlsplit

from schemas.settings import KafkaSettings, NodeSettings

SASL_TYPES = {"PLAIN": "plain", "SCRAM-SHA-256": "scramSha256", "SCRAM-SHA-512": "scramSha512"}
WEBSOCKET = "websocket"

Named = dict[str, Any]


def broker_servers(kafka: KafkaSettings) -> Named:
    """One server for each bootstrap broker: ``kafka``, ``kafka-2`` and so on."""
    hosts = [host.strip() for host in kafka.servers.split(",") if host.strip()]
    schemes = broker_schemes(kafka)
    server: Named = {
        "protocol": "kafka-secure" if kafka.security_protocol.endswith("SSL") else "kafka",
        "description": _describe(kafka),
        **({"security": [{"$ref": f"#/components/securitySchemes/{name}"} for name in schemes]} if schemes else {}),
    }
    return {f"kafka-{number}" if number > 1 else "kafka": {"host": host, **server} for number, host in enumerate(hosts, 1)}


def broker_schemes(kafka: KafkaSettings) -> Named:
    """How clients authenticate to the brokers; empty where they need not. With SASL over TLS, SASL."""
    if kafka.security_protocol.startswith("SASL_"):
        detail = f"{kafka.sasl_mechanism}: user and password from the operator of the broker."
        return {"sasl": {"type": SASL_TYPES[kafka.sasl_mechanism], "description": detail}}
    if kafka.security_protocol == "SSL" and kafka.ssl_cert_file:
        return {"certificate": {"type": "X509", "description": "A client certificate that the broker trusts."}}
    return {}


def websocket_server(node: NodeSettings) -> Named:
    """The API by its public URL; without one its host is a variable."""
    security = {"security": [{"$ref": "#/components/securitySchemes/bearer"}]}
    if not node.public_url:
        variable = {"description": "Host and port of the API, which CLAW_PUBLIC_URL would name.", "default": f"127.0.0.1:{node.port}"}
        return {WEBSOCKET: {"host": "{api}", "protocol": "ws", "variables": {"api": variable}, **security}}
    url = urlsplit(node.public_url)
    path = {"pathname": url.path.rstrip("/")} if url.path.rstrip("/") else {}
    protocol = "wss" if url.scheme == "https" else "ws"
    return {WEBSOCKET: {"host": url.netloc.rpartition("@")[2], "protocol": protocol, **path, **security}}


def websocket_schemes() -> Named:
    """How clients authenticate to the WebSocket."""
    detail = "An access token or an API key: in the first frame, as a subprotocol, or in the header `Authorization` (docs/socket.md)."
    return {"bearer": {"type": "http", "scheme": "bearer", "description": detail}}


def _describe(kafka: KafkaSettings) -> str:
    parts = [f"A bootstrap broker; security.protocol={kafka.security_protocol}"]
    if kafka.security_protocol.startswith("SASL_"):
        parts.append(f"sasl.mechanism={kafka.sasl_mechanism}")
    if kafka.security_protocol == "SASL_SSL" and kafka.ssl_cert_file:
        parts.append("with a client certificate")
    return ", ".join(parts) + "."
