"""A TLS proxy for a real server that has no TLS, with a certificate authority made for the test."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from worker.embedded.ports import LOOPBACK


class Authority:
    """A certificate authority in a folder, and a certificate that it issued only for `localhost`."""

    def __init__(self, folder: Path) -> None:
        self.certificate = folder / "ca.pem"
        self._folder = folder
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        # Python 3.13 and later verify strictly (VERIFY_X509_STRICT): an authority must say that it may sign
        # certificates, and a certificate must name its authority's key.
        usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
        self._openssl(
            *("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test authority", *usage)
        )
        self._openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
        extensions = "subjectAltName=DNS:localhost\nauthorityKeyIdentifier=keyid\nbasicConstraints=CA:FALSE\n"
        (folder / "names").write_text(extensions)
        signing = ("-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial", "1", "-extfile", "names")
        self._openssl("x509", "-req", "-in", "server.csr", "-out", "server.pem", *signing)

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._folder / "server.pem", self._folder / "server.key")
        return context

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(
            ("openssl", *arguments),  # noqa: S607 (the system's openssl)
            cwd=self._folder,
            check=True,
            capture_output=True,
        )


@asynccontextmanager
async def tls_proxy(authority: Authority, port: int, listen_on: int = 0) -> AsyncIterator[int]:
    """Accept TLS on a port, by default a free one, and forward the decrypted bytes to `port`; yields that port."""
    pumps: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        backend_reader, backend_writer = await asyncio.open_connection(LOOPBACK, port)
        for source, sink in ((reader, backend_writer), (backend_reader, writer)):
            pump = asyncio.create_task(_pump(source, sink))
            pumps.add(pump)
            pump.add_done_callback(pumps.discard)

    server = await asyncio.start_server(serve, LOOPBACK, listen_on, ssl=authority.server_context())
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()
    except OSError:
        # Either side may close its connection.
        pass
    finally:
        sink.close()
