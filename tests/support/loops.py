"""The event loop of every asynchronous test."""

import asyncio
from asyncio.sslproto import SSLProtocol
from collections.abc import Mapping


class EndingLoop(asyncio.SelectorEventLoop):
    """Breaks off what is still being sent when its test is over.

    A transport that was told to close keeps its socket until the last byte is sent, and
    a peer that is busy, or is not reading any more, puts that off past the end of the
    test; under TLS it waits for the peer's farewell besides. The garbage collector
    would then complain in the middle of some later test.
    What nobody told to close is left as it is, so that it is still found.
    """

    _transports: Mapping[int, asyncio.Transport]  # of the base class, by descriptor

    def close(self) -> None:
        """Abort what is closing and not sent, let it end, and close."""
        if not self.is_closed():
            for transport in list(self._transports.values()):
                if _is_told_to_close(transport):
                    transport.abort()
            self.run_until_complete(asyncio.sleep(0))
        super().close()


def _is_told_to_close(transport: asyncio.Transport) -> bool:
    protocol = transport.get_protocol()
    if isinstance(protocol, SSLProtocol) and not transport.is_closing():
        return protocol._get_app_transport().is_closing()
    return transport.is_closing() and transport.get_write_buffer_size() > 0
