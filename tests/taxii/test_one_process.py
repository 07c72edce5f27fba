"""The application without a web server: our own route against medallion's, restarts, other workers, faults."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from structlog.testing import capture_logs

from hub.access.accounts import Accounts
from hub.access.signin import SignIn
from hub.admission.gate import Gate
from hub.admission.warninglists import WarningLists
from hub.errors import BadSettings, StoreFull, StoreUnavailable
from hub.ops.uploads import Uploads
from hub.publish.collections import Collections
from hub.taxii.asked import ApiRoot, Front
from hub.taxii.backend import HubBackend
from hub.taxii.edge import Edge
from hub.taxii.wsgi import medallion_views, taxii_application
from tests.stores import store_in
from tests.taxii.served import ROOT, TAXII, indicator, prepare

PATH = "/hub/collections/clean-1/objects/"
FRONT = Front(api_roots=(ApiRoot("hub", "One"), ApiRoot("second", "Two")), page_size=50)


class Worker:
    """One process's worth of server over a data folder."""

    def __init__(self, data: Path, token: str, front: Front = FRONT) -> None:
        self.store = store_in(data)
        collections = Collections.load([ROOT / "feeds" / "collections", data / "collections"])
        gate = Gate(self.store, WarningLists.load(ROOT / "rules", None), "city")
        signin = SignIn(Accounts(self.store))
        uploads = Uploads(8, front.max_body)
        self.application = taxii_application(front, collections, self.store, gate, signin, uploads)
        self.backend = HubBackend(front, collections, self.store, gate)
        self.edge = Edge(medallion_views(self.backend), self.backend, signin, uploads)
        self.token = token

    def environ(self, path: str, method: str = "GET", body: bytes = b"") -> dict[str, Any]:
        path, _, query = path.partition("?")
        environ: dict[str, Any] = {"PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": method}
        setup_testing_defaults(environ)
        environ |= {"HTTP_ACCEPT": TAXII, "HTTP_AUTHORIZATION": f"Bearer {self.token}", "CONTENT_TYPE": TAXII}
        return environ | {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}

    def call(self, path: str, method: str = "GET", body: bytes = b"") -> tuple[int, dict[str, str], bytes]:
        started: list[Any] = []

        def start_response(*given: Any) -> Any:
            started.extend(given)

        answer = b"".join(self.application(self.environ(path, method, body), start_response))
        return int(started[0][:3]), dict(started[1]), answer


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Callable[[], Worker]]:
    """Give a function that starts one more worker over the same data."""
    token = prepare(tmp_path)["leo"]
    started: list[Worker] = []

    def start(front: Front = FRONT) -> Worker:
        started.append(Worker(tmp_path, token, front))
        return started[-1]

    yield start
    for one in started:
        one.store.close()


def fill(worker: Worker, number: int = 7) -> list[dict[str, Any]]:
    objects = [indicator(str(one)) for one in range(number)]
    assert worker.call(PATH, "POST", json.dumps({"objects": objects}).encode())[0] == 202
    return objects


def test_our_own_route_gives_the_bytes_of_medallions_view(
    worker: Callable[[], Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = worker()
    objects = fill(one)
    token = json.loads(one.call(f"{PATH}?limit=2")[2])["next"]
    queries = ["", "?limit=2", f"?limit=3&next={token}", f"?match[id]={objects[3]['id']}", "?match[type]=malware"]
    queries += [
        "?match[version]=all&limit=1",
        "?added_after=2026-01-01T00:00:00Z",
        "?limit=999999",
        "?next=x",
        "?limit=0",
    ]
    ours = [one.edge.answer(one.environ(PATH + query)) for query in queries]
    monkeypatch.setattr(Edge, "_readable", lambda _self, _asked: False)
    for query, answer in zip(queries, ours, strict=True):
        theirs = one.edge.answer(one.environ(PATH + query))
        assert (theirs.status, b"".join(theirs.pieces), dict(theirs.headers)) == (
            answer.status,
            b"".join(answer.pieces),
            dict(answer.headers),
        )


def test_j_t24_page_tokens_outlive_restarts_and_work_in_other_workers(worker: Callable[[], Worker]) -> None:
    first, second = worker(), worker()
    objects = fill(first)
    envelope = json.loads(first.call(f"{PATH}?limit=4")[2])
    first.store.close()
    for other in (second, worker()):
        status, _, body = other.call(f"{PATH}?limit=4&next={envelope['next']}")
        assert status == 200
        assert json.loads(body)["objects"] == objects[4:]


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (StoreUnavailable("the store is locked: try again", retry_after=5), 503, "store-unavailable"),
        (StoreFull("the disk is full"), 503, "store-full"),
        (ZeroDivisionError("secret inside"), 500, "internal-error"),
    ],
)
def test_faults_of_the_hub(
    worker: Callable[[], Worker], monkeypatch: pytest.MonkeyPatch, fault: Exception, status: int, code: str
) -> None:
    one = worker()

    def fail(*_given: object) -> None:
        raise fault

    for name, request in (("read_objects", (PATH,)), ("commit", (PATH, "POST", b'{"objects":[]}'))):
        with monkeypatch.context() as patched:
            patched.setattr(one.store, name, fail)
            with capture_logs() as logged:
                found, headers, body = one.call(*request)
        error = json.loads(body)
        assert [entry["error_id"] for entry in logged] == [error["error_id"]]
        assert (found, headers["Content-Type"]) == (status, TAXII)
        assert (error["http_status"], error["error_code"]) == (str(status), code)
        assert "secret" not in body.decode()
        assert headers.get("Retry-After") == {"store-unavailable": "5", "store-full": "60"}.get(code)


def test_the_credentials_are_not_passed_on(worker: Callable[[], Worker], monkeypatch: pytest.MonkeyPatch) -> None:
    one, seen = worker(), []
    views = one.edge._application

    def watched(environ: dict[str, Any], start_response: Any) -> Any:
        seen.append(dict(environ))
        return views(environ, start_response)

    monkeypatch.setattr(one.edge, "_application", watched)
    assert one.edge.answer(one.environ("/hub/")).status == 200
    assert one.token not in repr(seen)


def test_wrong_declarations_are_refused_at_the_start(worker: Callable[..., Worker]) -> None:
    for front in (
        Front(api_roots=(ApiRoot("hub", "Only"),)),
        Front(api_roots=(ApiRoot("hub", "A"), ApiRoot("second", "B"), ApiRoot("taxii2", "C"))),
        Front(api_roots=FRONT.api_roots, public_url="http://hub.example"),
        Front(api_roots=()),
    ):
        with pytest.raises(BadSettings):
            worker(front)
