"""The door for client certificates: a TLS listener of its own that proves who a client is and passes his requests on.

The web server can verify client certificates but does not tell an application whose they are. So this process ends TLS,
learns the certificate from the handshake, and forwards each request to the web server over a connection of its own,
with the certificate's fingerprint and the client's address behind a secret that only the two of them know. Requests are
parsed and written anew (h11), not copied, so nothing can be smuggled past; names with an underscore and whatever only a
proxy may say are dropped. Strangers get no further than the handshake.
"""

from __future__ import annotations

import asyncio
import hashlib
import signal
import ssl
from dataclasses import dataclass
from pathlib import Path

import h11

from hub.access.callers import HEADER
from hub.errors import BadSettings
from hub.ops.processes import end_with_parent

_NO_CHECK_TIME = ssl.VerifyFlags(0x200000)  # X509_V_FLAG_NO_CHECK_TIME, which the ssl module has no name for
_MOST_CONNECTIONS = 512
_HANDSHAKE = 10.0
_IDLE = 75.0
_ANSWER = 300.0
_PIECE = 65_536
_LARGEST_HEAD = 65_536
_HOP_BY_HOP = frozenset(
    b"connection keep-alive upgrade te trailer proxy-connection proxy-authorization expect http2-settings".split()
)
_OURS = frozenset((HEADER.lower().encode(), b"x-forwarded-for"))


@dataclass(frozen=True)
class DoorPlan:
    """Where the door is and where it leads.

    Attributes:
        host, port: to listen on. certificate, key: of the server, PEM. authorities: of clients, PEM.
        inside_host, inside_port: of the web server, which speaks TLS with the same certificate.
        secret: what it knows the door by.
    """

    host: str
    port: int
    certificate: Path
    key: Path
    authorities: Path
    inside_host: str
    inside_port: int
    secret: str


def outer_context(plan: DoorPlan) -> ssl.SSLContext:
    """Return how TLS is spoken with clients: 1.2 or newer, a certificate of one of the authorities is demanded."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= _NO_CHECK_TIME  # the hub knows when it ends, and tells the client so (401)
    context.options |= ssl.OP_NO_TICKET  # a resumed session would outlive its certificate
    context.num_tickets = 0
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(plan.certificate, plan.key)
    context.load_verify_locations(plan.authorities)
    return context


def check_authorities(file: Path) -> None:
    """Make sure that a file holds certificates of authorities.

    Raises:
        BadSettings: it cannot be read, or holds none.
    """
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(file)
    except ssl.SSLError as error:
        raise BadSettings(f"tls_client_ca {file.name} cannot be used: {error.reason or 'no PEM'}") from None
    except OSError as error:
        raise BadSettings(f"tls_client_ca {file.name} cannot be used: {error.strerror}") from None


def run_door(plan: DoorPlan) -> None:
    """Keep the door until SIGTERM or the end of the parent process."""
    end_with_parent()
    asyncio.run(_keep(plan))


async def _keep(plan: DoorPlan) -> None:
    door = _Door(plan)
    server = await asyncio.start_server(
        door.visit,
        plan.host,
        plan.port,
        ssl=outer_context(plan),
        ssl_handshake_timeout=_HANDSHAKE,
        limit=_PIECE,
    )
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await ended.wait()
    server.close()


class _Door:
    """One visit is one connection of a client, with one connection to the web server of its own."""

    def __init__(self, plan: DoorPlan) -> None:
        self._plan = plan
        self._visits = 0
        self._inside = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._inside.check_hostname = False
        self._inside.verify_mode = ssl.CERT_NONE  # what it shows is compared with our own certificate instead
        pem = plan.certificate.read_text()
        self._own = ssl.PEM_cert_to_DER_cert(pem[pem.index("-----BEGIN CERT") :].partition("-----END")[0] + _END)

    async def visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a client until he leaves."""
        self._visits += 1
        try:
            if self._visits <= _MOST_CONNECTIONS:
                await self._serve(reader, writer)
        except* (OSError, TimeoutError, h11.ProtocolError, asyncio.CancelledError):
            pass  # he is gone, too slow, or does not speak HTTP, or the door is shut: there is nobody to tell
        finally:
            self._visits -= 1
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        address = writer.get_extra_info("peername")[0]
        fingerprint = hashlib.sha256(certificate).hexdigest()
        told = HEADER.encode(), f"{self._plan.secret} {fingerprint} {address}".encode()
        outside = _Side(h11.Connection(h11.SERVER, _LARGEST_HEAD), reader, writer)
        try:
            inner_reader, inner_writer = await asyncio.open_connection(
                self._plan.inside_host, self._plan.inside_port, ssl=self._inside, limit=_PIECE
            )
        except OSError:  # the web server is being started again
            await _refuse(outside, 503, ("Retry-After", "1"))
            return
        try:
            if inner_writer.get_extra_info("ssl_object").getpeercert(binary_form=True) != self._own:
                return
            inside = _Side(h11.Connection(h11.CLIENT, _LARGEST_HEAD), inner_reader, inner_writer)
            while await _exchange(outside, inside, told):
                outside.http.start_next_cycle()
                inside.http.start_next_cycle()
        finally:
            inner_writer.close()


_END = "-----END CERTIFICATE-----\n"


@dataclass
class _Side:
    """One of the two connections: its HTTP state and its streams."""

    http: h11.Connection
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def event(self, patience: float) -> h11.Event | type[h11.PAUSED]:
        """Return what comes next."""
        while (event := self.http.next_event()) is h11.NEED_DATA:
            self.http.receive_data(await asyncio.wait_for(self.reader.read(_PIECE), patience))
        return event  # type: ignore[return-value]

    async def send(self, event: h11.Event) -> None:
        """Write something, as fast as the other side takes it."""
        data = self.http.send(event)
        if data:
            self.writer.write(data)
            await asyncio.wait_for(self.writer.drain(), _IDLE)


async def _exchange(outside: _Side, inside: _Side, told: tuple[bytes, bytes]) -> bool:
    """Pass one request in and its answer out; return whether another may follow."""
    request = await outside.event(_IDLE)
    if not isinstance(request, h11.Request):
        return False
    if request.method == b"CONNECT":
        await _refuse(outside, 405)
        return False
    headers = [(name, value) for name, value in request.headers if _passes(name)]
    if any(name == b"transfer-encoding" for name, _ in headers):  # one length, or two could be read
        headers = [(name, value) for name, value in headers if name != b"content-length"]
    await inside.send(h11.Request(method=request.method, target=request.target, headers=[*headers, told]))
    async with asyncio.TaskGroup() as both:  # a client who leaves ends the waiting for an answer
        body = both.create_task(_pass_body(outside, inside))
        await _pass_answer(inside, outside)
        body.cancel()  # the answer may come before the whole body did; then neither connection can be used again
    states = {outside.http.our_state, outside.http.their_state, inside.http.our_state, inside.http.their_state}
    return states == {h11.DONE}


async def _refuse(outside: _Side, status: int, *headers: tuple[str, str]) -> None:
    closing = [("Content-Length", "0"), ("Connection", "close"), *headers]
    await outside.send(h11.Response(status_code=status, headers=closing))
    await outside.send(h11.EndOfMessage())


async def _pass_body(outside: _Side, inside: _Side) -> None:
    if outside.http.they_are_waiting_for_100_continue:
        await outside.send(h11.InformationalResponse(status_code=100, headers=[]))
    while True:
        event = await outside.event(_IDLE)
        if not isinstance(event, h11.Data | h11.EndOfMessage):
            raise OSError("the client left in the middle of a body")
        try:
            await inside.send(event)
        except OSError:
            return  # the web server takes no more of it: its answer says why
        if isinstance(event, h11.EndOfMessage):
            return


async def _pass_answer(inside: _Side, outside: _Side) -> None:
    while True:
        event = await inside.event(_ANSWER)
        if isinstance(event, h11.Response):
            headers = [(name, value) for name, value in event.headers if name not in _HOP_BY_HOP]
            await outside.send(h11.Response(status_code=event.status_code, headers=headers, reason=event.reason))
        elif isinstance(event, h11.Data):
            await outside.send(h11.Data(data=event.data))
        elif isinstance(event, h11.EndOfMessage):
            await outside.send(h11.EndOfMessage())
            return
        elif not isinstance(event, h11.InformationalResponse):
            raise OSError("the web server left in the middle of an answer")


def _passes(name: bytes) -> bool:
    return name not in _HOP_BY_HOP and name not in _OURS and b"_" not in name
