"""Pull from a TAXII 2.1 server with taxii2-client, over the hub's own checked HTTP (`connectors.http`).

A walk follows ``next`` when the server gives one and ``added_after`` otherwise, never both in one request (FIELD.md
2.1). The cursor is the server's own: ``X-TAXII-Date-Added-Last`` of the last page of a whole walk. A walk that was cut
short goes on at its ``next``; if the server has forgotten that, it starts again where the walk began.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO, ClassVar, Self
from urllib.parse import urlsplit

import requests
from pydantic import Field, field_validator, model_validator
from requests.adapters import BaseAdapter
from requests.auth import HTTPBasicAuth
from taxii2client.common import TokenAuth, _HTTPConnection
from taxii2client.exceptions import TAXIIServiceException
from taxii2client.v21 import ApiRoot, Collection, Server

from connectors.contract import ConnectorSettings, Item, Portion
from connectors.cutting import Cutter
from connectors.documents import text_of
from connectors.envelopes import objects_of
from connectors.http import Http
from hub.errors import InputError, NotThatFormat, SourceUnreachable
from hub.model.times import parse_timestamp

MAX_PAGE = 64 << 20
"""Bytes of one page; the page size is for the server to keep it small."""
_MAX_RESOURCE = 1 << 20


class TaxiiSettings(ConnectorSettings):
    """Which collection of which server, as whom.

    ``url`` is a collection's address (``…/collections/<id>/``), or that of discovery; then ``collection`` names the
    collection by id, alias or title.
    """

    url: str = Field(description="Address of the collection or of the server's discovery.")
    collection: str = Field("", description="Id, alias or title of the collection, when url is discovery.")
    user: str = Field("", description="User name for Basic authentication.")
    password: str = Field("", description="`secret:NAME` of its password.")
    token: str = Field("", description="`secret:NAME` of a token.")
    token_scheme: str = Field("Token", pattern="^(Token|Bearer)$", description="Word before the token.")
    match: dict[str, str] = Field(default_factory=dict, description="TAXII match filters, such as type and version.")
    page_size: int = Field(1000, ge=1, le=10000, description="Objects to ask for at a time.")
    since: str = Field("", description="Start of the first walk, a UTC timestamp; empty: everything.")

    @field_validator("since")
    @classmethod
    def _is_time(cls, text: str) -> str:
        if text:
            parse_timestamp(text)
        return text

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if self.token and self.user:
            raise ValueError("name either user and password or a token")
        if bool(self.user) != bool(self.password):
            raise ValueError("user and password belong together")
        if any(text and not text.startswith("secret:") for text in (self.password, self.token)):
            raise ValueError("passwords and tokens are named as secret:NAME, never written here")
        if "/collections/" not in self.url and not self.collection:
            raise ValueError("name the collection")
        return self


class Taxii:
    """The connector ``taxii``."""

    name: ClassVar[str] = "taxii"
    Settings: ClassVar[type[TaxiiSettings]] = TaxiiSettings

    def fetch(self, settings: TaxiiSettings, cursor: dict[str, Any], http: Http) -> Iterator[Portion]:
        """Yield one portion per page; see the module for the cursor."""
        with _Client(settings, http) as client:
            begin = {"added_after": cursor["added_after"]} if cursor.get("added_after") else {}
            if not begin and settings.since:
                begin = {"added_after": settings.since}
            resumed = cursor.get("next")
            asked = {"next": str(resumed)} if resumed else begin
            last: str | None = cursor.get("last") if resumed else None
            while True:
                try:
                    page = client.page(asked)
                except InputError:
                    if not resumed or asked.get("next") != resumed:
                        raise
                    asked, resumed, last = begin, None, None
                    continue
                last = page.last_added or last
                items = page.items()
                if not page.more:
                    yield Portion(items, {"added_after": last} if last else begin)
                    return
                onward = _onward(page, asked)
                if "next" in onward:
                    yield Portion(items, {**begin, **onward, **({"last": last} if last else {})})
                else:
                    begin = onward
                    yield Portion(items, dict(onward))
                asked = onward

    def read(self, settings: TaxiiSettings, stream: BinaryIO, name: str) -> Iterator[Item]:  # noqa: ARG002
        """Yield the objects of one envelope."""
        return objects_of(text_of(stream, name), name, envelope=True)


@dataclasses.dataclass(frozen=True)
class _Page:
    body: bytes
    place: str
    more: bool
    next: str | None
    last_added: str | None

    def items(self) -> Iterator[Item]:
        return objects_of(io.BytesIO(self.body), self.place, envelope=True)


class _Client:
    """One server as taxii2-client sees it, its requests going through `Http`."""

    def __init__(self, settings: TaxiiSettings, http: Http) -> None:
        self._settings = settings
        self._host = urlsplit(settings.url).hostname or "the server"
        limits = dataclasses.replace(http.limits, size=min(http.limits.size, MAX_PAGE))
        self._adapter = _CheckedAdapter(dataclasses.replace(http, limits=limits), settings.url)
        self._connection = _HTTPConnection(version="2.1", auth=_authentication(settings, http))
        self._connection.session.trust_env = False
        for scheme in ("https://", "http://"):
            self._connection.session.mount(scheme, self._adapter)
        self._collection: Collection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def page(self, asked: Mapping[str, str]) -> _Page:
        with self._faults_named():
            collection = self._collection = self._collection or self._find()
            envelope = collection.get_objects(limit=self._settings.page_size, **asked, **self._settings.match)
            body, headers = self._adapter.body, self._adapter.headers
        following = envelope.get("next")
        if isinstance(following, dict | list):
            raise NotThatFormat(f"{self._host} gives a next that is neither text nor a number")
        return _Page(
            body,
            f"{self._host} {collection.title}"[:100],
            envelope.get("more") is True,
            None if following in (None, "") else str(following),
            _last_added(headers.get("x-taxii-date-added-last")),
        )

    def _find(self) -> Collection:
        settings = self._settings
        if "/collections/" in settings.url:
            return Collection(settings.url, conn=self._connection)
        wanted = settings.collection
        for root in Server(settings.url, conn=self._connection).api_roots:
            # The roots that Server makes open connections of their own, which nothing would check.
            for collection in ApiRoot(root.url, conn=self._connection).collections:
                if wanted in (collection.id, collection.alias, collection.title):
                    return collection
        raise SourceUnreachable(f"{self._host} shows this account no collection {wanted[:80]!r}")

    @contextmanager
    def _faults_named(self) -> Iterator[None]:
        try:
            yield
        except TAXIIServiceException as fault:
            text = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
            raise NotThatFormat(f"{self._host} does not answer as a TAXII 2.1 server: {text[:200]}") from None
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise NotThatFormat(f"{self._host} does not answer with a TAXII 2.1 resource") from None
        except requests.RequestException as fault:
            raise SourceUnreachable(f"{self._host} cannot be asked: {type(fault).__name__}") from None


class _CheckedAdapter(BaseAdapter):
    """Carries requests' requests out by `Http`, to one origin only, and keeps the last page as it came.

    taxii2-client is shown the page without its objects: their bytes are cut, not parsed.
    """

    def __init__(self, http: Http, url: str) -> None:
        super().__init__()
        self._http = http
        self._origin = _origin(url)
        self.body = b""
        self.headers: Mapping[str, str] = {}

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        url = request.url or ""
        if _origin(url) != self._origin:
            raise SourceUnreachable(f"{self._origin[1]} points to another server, which this feed was not declared for")
        headers = {name: request.headers[name] for name in ("Accept", "Authorization") if name in request.headers}
        with self._http.get(url, headers=headers) as answer:
            self.headers = answer.headers
            if urlsplit(url).path.endswith("/objects/"):
                self.body = answer.body.read()
                content = _without_objects(self.body, self._origin[1])
            else:
                content = answer.body.read(_MAX_RESOURCE)
        response = requests.Response()
        response.status_code = answer.status
        response.headers.update({"Content-Type": "", **answer.headers})
        response.headers.pop("content-encoding", None)
        response.raw = io.BytesIO(content)
        response.url = url
        response.request = request
        return response

    def close(self) -> None:
        """Nothing stays open between requests."""


def _without_objects(body: bytes, name: str) -> bytes:
    cutter = Cutter(io.BytesIO(body), name, key="objects")
    for _ in cutter.values():
        pass
    return cutter.head + b"[" + cutter.tail if cutter.found else cutter.head


def _onward(page: _Page, asked: Mapping[str, str]) -> dict[str, str]:
    """Return what to ask for after a page that says there is more.

    Raises:
        NotThatFormat: the server does not say how to go on, or says to stay.
    """
    if page.next is not None:
        onward = {"next": page.next}
    elif page.last_added is not None:
        onward = {"added_after": page.last_added}
    else:
        raise NotThatFormat(f"{page.place} says that there is more but gives neither a next nor a date to go on from")
    if onward == dict(asked):
        raise NotThatFormat(f"{page.place} says that there is more and gives the same page again")
    return onward


def _last_added(text: str | None) -> str | None:
    try:
        parse_timestamp(text or "")
    except ValueError:
        return None
    return text


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _authentication(settings: TaxiiSettings, http: Http) -> requests.auth.AuthBase | None:
    if settings.user:
        return HTTPBasicAuth(settings.user, http.reveal(settings.password))
    if settings.token:
        secret = http.reveal(settings.token)
        return TokenAuth(secret) if settings.token_scheme == "Token" else _Bearer(secret)  # noqa: S105
    return None


class _Bearer(requests.auth.AuthBase):
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request
