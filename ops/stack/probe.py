"""A probe of one HTTP port on this machine, without an HTTP library: the supervisor starts before any heavy import."""

import asyncio

TIMEOUT_S = 2.0
BYTES_MAX = 262_144


async def http_get(port: int, path: str, host: str = "127.0.0.1", timeout_s: float = TIMEOUT_S) -> tuple[int, bytes]:
    """Status and body of ``GET path``; 0 without an answer in time."""
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
                head, _, body = (await reader.read(BYTES_MAX)).partition(b"\r\n\r\n")
                while not reader.at_eof() and len(body) < BYTES_MAX:
                    body += await reader.read(BYTES_MAX)
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return 0, b""
    parts = head.split(maxsplit=2)
    return (int(parts[1]), body) if len(parts) > 1 and parts[0].startswith(b"HTTP/") and parts[1].isdigit() else (0, b"")


async def http_status(port: int, path: str, host: str = "127.0.0.1", timeout_s: float = TIMEOUT_S) -> int:
    """Status of ``GET path``; 0 without an answer in time."""
    return (await http_get(port, path, host, timeout_s))[0]
