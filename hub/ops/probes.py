"""What machines ask a running hub: ``/healthz``, ``/readyz``, ``/metrics``; and a signpost at ``/``.

Plain WSGI over the store only: it must answer when everything else is in trouble, to anybody, and tell no secrets.
What there is of everything, by collection, feed and worker, is told to the monitoring alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import orjson
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from hub.access.client_address import Networks, read_address
from hub.errors import HubError, StoreUnavailable
from hub.store.ports import HUB, Head, Store

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

Answer = tuple[str, str, bytes]
TEXT = "text/plain; version=0.0.4; charset=utf-8"
JSON = "application/json"
_METRICS = "/metrics"
PATIENCE = 2.5
"""Seconds that a probe waits for the store."""


class Probes:
    """The WSGI application for everything that is not TAXII.

    Args:
        store: the store that readiness is about.
        title: the hub's name.
        feed_failures: called at each scrape: feed name -> consecutive failures.
        work: called at each scrape: worker -> pieces of background work that it has.
        metrics_for: whose addresses may read ``/metrics``; for others there is no such thing.
    """

    def __init__(
        self,
        store: Store,
        title: str,
        feed_failures: Callable[[], dict[str, int]],
        work: Callable[[], dict[str, int]],
        metrics_for: Networks,
    ) -> None:
        self._store = store
        self._title = title
        self._feed_failures = feed_failures
        self._work = work
        self._metrics_for = metrics_for
        self._lock = threading.Lock()
        self._one = ThreadPoolExecutor(1, "readiness")
        self._asking: Future[tuple[Head, HubError | None]] | None = None
        self._routes: dict[str, Callable[[], Answer]] = {
            "/": self._signpost,
            "/healthz": lambda: ("200 OK", JSON, b'{"status":"alive"}'),
            "/readyz": self._ready,
            _METRICS: self._metrics,
        }

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        method = environ["REQUEST_METHOD"]
        path = environ.get("PATH_INFO", "/")
        client = read_address(environ.get("REMOTE_ADDR", ""))
        hidden = path == _METRICS and (client is None or client not in self._metrics_for)
        route = None if hidden else self._routes.get(path)
        headers: list[tuple[str, str]] = [("X-Content-Type-Options", "nosniff"), ("Cache-Control", "no-store")]
        if route is None:
            status, kind, body = _fault("404 Not Found", "not-found", "There is nothing at this address.")
        elif method not in ("GET", "HEAD"):
            status, kind, body = _fault("405 Method Not Allowed", "method-not-allowed", "Only GET and HEAD.")
            headers.append(("Allow", "GET, HEAD"))
        else:
            status, kind, body = route()
        headers += [("Content-Type", kind), ("Content-Length", str(len(body)))]
        start_response(status, headers)
        return [] if method == "HEAD" else [body]

    def _signpost(self) -> Answer:
        where = {"title": self._title, "taxii": "/taxii2/", "health": "/healthz", "ready": "/readyz"}
        return "200 OK", JSON, orjson.dumps(where)

    def _ready(self) -> Answer:
        try:
            _, stopped = self._asked().result(PATIENCE)
        except TimeoutError:
            return _fault("503 Not Ready", StoreUnavailable.code, "The store has not answered for some seconds.")
        except HubError as error:
            return _fault(f"{error.status} Not Ready", error.code, error.message)
        told: dict[str, Any] = {"status": "ready"}
        if stopped is not None:
            # Whoever only reads is served on, so requests must not be sent elsewhere, or nowhere.
            told |= {"status": "reads only", "error": {"code": stopped.code, "message": stopped.message}}
        return "200 OK", JSON, orjson.dumps(told)

    def _asked(self) -> Future[tuple[Head, HubError | None]]:
        """Return the question that is under way, so that a store that hangs holds up one thread, not one for each."""
        with self._lock:
            if self._asking is None or self._asking.done():
                self._asking = self._one.submit(self._state)
            return self._asking

    def _state(self) -> tuple[Head, HubError | None]:
        head = self._store.head()
        try:
            self._store.check_writes()
        except HubError as error:
            return head, error
        return head, None

    def _metrics(self) -> Answer:
        registry = CollectorRegistry()
        up = Gauge("threathub_ready", "1 when the store answers", registry=registry)
        writable = Gauge("threathub_writable", "1 when the store takes writes", registry=registry)
        try:
            position = Gauge("threathub_log_position", "Newest position in the change log", registry=registry)
            head, stopped = self._asked().result(PATIENCE)
            position.set(head.position)
            objects = Gauge("threathub_objects", "Latest objects", ["collection"], registry=registry)
            for collection, number in self._store.tally(HUB).items():
                objects.labels(collection).set(number)
            failures = Gauge("threathub_feed_failures", "Failures in a row", ["feed"], registry=registry)
            for feed, number in self._feed_failures().items():
                failures.labels(feed).set(number)
            pieces = Gauge("threathub_work_pieces", "Pieces of background work", ["worker"], registry=registry)
            for worker, number in self._work().items():
                pieces.labels(worker).set(number)
            up.set(1)
            writable.set(stopped is None)
        except (HubError, TimeoutError):
            pass
        return "200 OK", TEXT, generate_latest(registry)


def _fault(status: str, code: str, message: str) -> Answer:
    body: dict[str, Any] = {"error": {"code": code, "message": message}}
    return status, JSON, orjson.dumps(body)
