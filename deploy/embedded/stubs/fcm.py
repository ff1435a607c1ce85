"""A stand-in for Google's FCM, so real that firebase-admin cannot tell.

Three listeners: a CONNECT proxy that leads every tunnel to the TLS
listener, the TLS listener with a certificate for Google's hosts, and a plain one
with Google's token endpoint, `GET /sent?token=` and `POST /behaviour`.
"""

import asyncio
import contextlib
import ssl

from deploy.embedded.certificates import GOOGLE_HOSTS, certificate_files
from deploy.embedded.layout import HOST, Stack
from deploy.embedded.stubs.fcm_api import PushService
from deploy.embedded.stubs.serving import run_stand_in, run_until_signal, start_site

_CHUNK_BYTES = 16 * 1024
_TUNNEL_HEADS = tuple(f"CONNECT {host}:443 ".encode() for host in GOOGLE_HOSTS)


async def serve(stack: Stack, host: str) -> None:
    """Serve all three listeners until a signal ends it."""
    certificate, key = certificate_files(stack, "fcm")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    service = PushService(stack)
    runners = [
        await start_site(service.api(), host, stack.port("fcm"), context),
        await start_site(service.control(), host, stack.port("fcm_control")),
    ]
    proxy = await asyncio.start_server(
        lambda reader, writer: _tunnel(stack.port("fcm"), reader, writer),
        host,
        stack.port("fcm_proxy"),
    )
    try:
        await run_until_signal()
    finally:
        proxy.close()
        for runner in runners:
            await runner.cleanup()


async def _tunnel(
    port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Answer one CONNECT and carry its bytes to the TLS listener."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(_TUNNEL_HEADS):
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
        else:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await _carry(port, reader, writer)
    writer.close()


async def _carry(
    port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    inner_reader, inner_writer = await asyncio.open_connection(HOST, port)
    try:
        await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))
    finally:
        inner_writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(_CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()


if __name__ == "__main__":
    run_stand_in(serve)
