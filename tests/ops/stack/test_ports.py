"""Ports are claimed once."""

import socket

import pytest

from ops.stack import ports
from schemas.errors import ConfigurationError


def test_ports_are_claimed_once():
    taken: set[int] = set()
    first, second = ports.claim("A", 0, taken), ports.claim("B", 0, taken)
    assert first != second
    with pytest.raises(ConfigurationError, match=rf"C: port {first} is given twice"):
        ports.claim("C", first, taken)
    with pytest.raises(ConfigurationError, match=r"CLAW_HOST: 203\.0\.113\.1 is no address of this machine"):
        ports.claim("D", 0, taken, "203.0.113.1")
    with pytest.raises(ConfigurationError, match=r"CLAW_HOST: no\.such\.host\.invalid is no address"):
        ports.claim("E", 0, taken, "no.such.host.invalid")
    with socket.create_server(("127.0.0.1", 0)) as holder:
        assert "(pid " in ports.holder_of(holder.getsockname()[1])
