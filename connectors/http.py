"""Fetch from a source over HTTP: the only user of the HTTP client.

It takes an address apart, resolves it, judges every address (`connectors.addresses`), connects to the judged one, and
brings the whole body into a temporary file within bounds of size and time before anyone reads it. So a reader never
holds a connection open, and a broken transfer is known before its first item. It never writes a URL's path, query or
header into a message: they may hold keys.
"""

from __future__ import annotations

import email.utils
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

import httpx2
import stamina

from connectors.addresses import Network, Resolve, checked, resolve
from connectors.inflate import Inflater
from hub.errors import BadSettings, NotThatFormat, SourceUnreachable

USER_AGENT = "city-threat-hub"
SECRET = "secret:"  # noqa: S105 - the mark of a reference, not a secret
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one fetch: bytes on the wire and after decompression, and seconds.

    ``patience`` is the longest wait, in seconds, that a source may ask for within one fetch; a longer ``Retry-After``
    ends the fetch and the runner comes back later. ``wait`` is the first pause between attempts.
    """

    size: int = 256 << 20
    total: float = 600.0
    connect: float = 10.0
    read: float = 60.0
    redirects: int = 5
    attempts: int = 3
    wait: float = 0.5
    patience: float = 30.0
    in_memory: int = 4 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What a source answered.

    Attributes:
        status: 200, or 304 when nothing changed. headers: names in lower case. body: the decoded content, at its start.
    """

    status: int
    headers: Mapping[str, str]
    body: BinaryIO

    @property
    def unchanged(self) -> bool:
        """Whether the source says that it has nothing new."""
        return self.status == 304

    @property
    def validators(self) -> dict[str, str]:
        """What to hand to the next `Http.get` of the same address, so that it can answer that nothing changed."""
        names = {"etag": "etag", "last-modified": "last_modified"}
        return {ours: self.headers[theirs] for theirs, ours in names.items() if theirs in self.headers}


class _TryAgain(SourceUnreachable):
    """A fault that may pass within the same fetch."""


@dataclass(frozen=True)
class Http:
    """A fetcher with one feed's rights.

    Attributes:
        allow: networks beside the public ones that this feed may be fetched from.
        ca: a file of certificate authorities to trust instead of the system's (pinning, FIELD.md T22).
        client_certificate: certificate and key file, for servers that ask for one.
        secrets: gives the value of a named secret; raises `KeyError` for an unknown name.
        resolver: host name to addresses.
    """

    allow: Sequence[Network] = ()
    ca: Path | None = None
    client_certificate: tuple[Path, Path] | None = None
    limits: Limits = field(default_factory=Limits)
    secrets: Callable[[str], str] | None = None
    resolver: Resolve = resolve

    def reveal(self, text: str) -> str:
        """Return the secret that ``secret:NAME`` refers to; any other text is returned as it is.

        Raises:
            BadSettings: there is no such secret.
        """
        if not text.startswith(SECRET):
            return text
        name = text.removeprefix(SECRET)
        try:
            if self.secrets is None:
                raise KeyError(name)
            return self.secrets(name)
        except KeyError:
            raise BadSettings(f"there is no secret named {name}; put it into the hub's secrets folder") from None

    @contextmanager
    def get(
        self, url: str, *, headers: Mapping[str, str] | None = None, validators: Mapping[str, str] | None = None
    ) -> Iterator[Answer]:
        """Fetch an address; the answer's body is gone at the end of the ``with`` block.

        Args:
            url: http or https. headers: values may be secret references; they stay with the origin of ``url``.
            validators: `Answer.validators` of the last time, for a conditional request.

        Raises:
            SourceUnreachable: refused address, no answer, an error status, or too slow.
            NotThatFormat: the content is damaged or too big.
        """
        sent = {name: self.reveal(value) for name, value in (headers or {}).items()}
        for name, key in (("if-none-match", "etag"), ("if-modified-since", "last_modified")):
            if validators and validators.get(key):
                sent[name] = validators[key]
        with tempfile.SpooledTemporaryFile(max_size=self.limits.in_memory) as body:
            for attempt in stamina.retry_context(
                on=_pause,
                attempts=self.limits.attempts,
                timeout=self.limits.total,
                wait_initial=self.limits.wait,
                wait_jitter=self.limits.wait,
            ):
                with attempt:
                    body.seek(0)
                    body.truncate()
                    status, received = self._fetch(url, sent, cast(BinaryIO, body))
            body.seek(0)
            yield Answer(status, received, cast(BinaryIO, body))

    def _fetch(self, url: str, headers: Mapping[str, str], body: BinaryIO) -> tuple[int, dict[str, str]]:
        deadline = time.monotonic() + self.limits.total
        target = _address(url)
        try:
            with httpx2.Client(transport=self._transport(), trust_env=False, timeout=self._timeout()) as client:
                for _ in range(self.limits.redirects + 1):
                    request = client.build_request("GET", target, headers={**_COMMON, **headers})
                    response = client.send(request, stream=True)
                    try:
                        if response.status_code not in _REDIRECTS:
                            return self._take(response, target.host, body, deadline)
                        onward = _onward(response, target)
                    finally:
                        response.close()
                    if _origin(onward) != _origin(target):
                        headers = {}
                    target = onward
        except httpx2.TimeoutException:
            raise _TryAgain(f"{target.host} did not answer in time") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, ssl.SSLError) as fault:
            raise _TryAgain(f"{target.host} cannot be reached: {_cause(fault)}") from None
        raise SourceUnreachable(f"{target.host} redirects more than {self.limits.redirects} times")

    def _take(
        self, response: httpx2.Response, host: str, body: BinaryIO, deadline: float
    ) -> tuple[int, dict[str, str]]:
        received = {name.lower(): value for name, value in response.headers.items()}
        status = response.status_code
        if status != 304:
            self._refuse_errors(status, received, host)
            self._receive(response, host, body, deadline, received.get("content-encoding", "identity").lower())
        return status, received

    def _refuse_errors(self, status: int, headers: Mapping[str, str], host: str) -> None:
        if status in (401, 403):
            raise SourceUnreachable(f"{host} refuses access with status {status}; check the feed's credentials")
        if status in _AGAIN:
            wait = _retry_after(headers.get("retry-after", ""))
            fault = SourceUnreachable if wait is not None and wait > self.limits.patience else _TryAgain
            raise fault(f"{host} answers with status {status}", retry_after=wait)
        if not 200 <= status < 300:
            raise SourceUnreachable(f"{host} answers with status {status}")

    def _receive(self, response: httpx2.Response, host: str, body: BinaryIO, deadline: float, encoding: str) -> None:
        inflater = None
        if encoding in ("gzip", "x-gzip", "deflate"):
            inflater = Inflater(f"the answer of {host}", limit=4 * self.limits.size, headerless=encoding == "deflate")
        elif encoding not in ("", "identity"):
            raise NotThatFormat(f"{host} answers in the encoding {encoding[:20]}, which was not asked for")
        taken = 0
        for chunk in response.iter_raw():
            taken += len(chunk)
            if taken > self.limits.size:
                raise NotThatFormat(f"the answer of {host} is longer than {self.limits.size >> 20} MB; not read")
            if time.monotonic() > deadline:
                raise SourceUnreachable(f"the answer of {host} took longer than {self.limits.total:.0f} s")
            if inflater is None:
                body.write(chunk)
            else:
                for piece in inflater.feed(chunk):
                    body.write(piece)
        if inflater is not None:
            inflater.finish()

    def _timeout(self) -> httpx2.Timeout:
        return httpx2.Timeout(self.limits.read, connect=self.limits.connect)

    def _transport(self) -> _JudgedTransport:
        context = ssl.create_default_context(cafile=str(self.ca) if self.ca else None)
        if self.client_certificate:
            context.load_cert_chain(*(str(path) for path in self.client_certificate))
        return _JudgedTransport(self.allow, self.resolver, context)


class _JudgedTransport(httpx2.BaseTransport):
    """Connects to judged addresses only; host header, SNI and certificate check keep the name."""

    def __init__(self, allow: Sequence[Network], resolver: Resolve, context: ssl.SSLContext) -> None:
        self._allow = allow
        self._resolver = resolver
        self._inner = httpx2.HTTPTransport(verify=context, trust_env=False)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        host = request.url.raw_host.decode("ascii")
        port = request.url.port or (443 if request.url.scheme == "https" else 80)
        fault: httpx2.TransportError | None = None
        for address in checked(host, port, self._allow, self._resolver):
            judged = httpx2.Request(
                request.method,
                request.url.copy_with(host=address),
                headers=request.headers,
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": host},
            )
            try:
                return self._inner.handle_request(judged)
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                fault = error
        raise fault or httpx2.ConnectError("no address")

    def close(self) -> None:
        self._inner.close()


_COMMON = {"user-agent": USER_AGENT, "accept": "*/*", "accept-encoding": "gzip, deflate"}


def _address(url: str) -> httpx2.URL:
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL:
        raise SourceUnreachable("the feed's address is not a URL") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise SourceUnreachable("the feed's address must begin with https:// or http:// and name a host")
    if parsed.userinfo:
        raise SourceUnreachable(f"the address of {parsed.host} holds a user name; use a secret reference instead")
    return parsed


def _onward(response: httpx2.Response, target: httpx2.URL) -> httpx2.URL:
    place = response.headers.get("location", "")
    try:
        onward = _address(str(target.join(place)))
    except httpx2.InvalidURL:
        raise SourceUnreachable(f"{target.host} redirects to nowhere") from None
    if target.scheme == "https" and onward.scheme != "https":
        raise SourceUnreachable(f"{target.host} redirects from https to http; not followed")
    return onward


def _origin(url: httpx2.URL) -> tuple[str, bytes, int | None]:
    return url.scheme, url.raw_host, url.port


def _cause(fault: Exception) -> str:
    text = str(fault) or type(fault).__name__
    return "its certificate is not trusted" if "CERTIFICATE_VERIFY" in text else text[:120]


def _retry_after(text: str) -> int | None:
    """Read the header's two forms, seconds and an HTTP date (RFC 9110 section 10.2.3)."""
    if text.isascii() and text.isdigit():
        return min(int(text[:9]), 86400 * 7)
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return max(0, round(moment.timestamp() - time.time()))


def _pause(fault: Exception) -> bool | float:
    """Tell stamina whether to try again, and when the source said when."""
    if not isinstance(fault, _TryAgain):
        return False
    return True if fault.retry_after is None else float(fault.retry_after)
