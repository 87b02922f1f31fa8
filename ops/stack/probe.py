"""A probe of one HTTP port on this machine, without an HTTP library: the supervisor starts before any heavy import."""

import asyncio

TIMEOUT_S = 2.0


async def http_status(port: int, path: str, host: str = "127.0.0.1", timeout_s: float = TIMEOUT_S) -> int:
    """Status of ``GET path``; 0 without an answer in time."""
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
                line = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError, ValueError):  # ValueError: a line longer than the reader takes, so no HTTP server
        return 0
    parts = line.split()
    return int(parts[1]) if len(parts) > 1 and parts[0].startswith(b"HTTP/") and parts[1].isdigit() else 0
