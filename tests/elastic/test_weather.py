"""Bad weather: what the administrator is told, and that it goes on by itself when it ends."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hub.access.client_address import Networks
from hub.errors import BadSettings, NoSuchFile, StoreCorrupt, StoreFull, StoreUnavailable, StoreVersion
from hub.ops.probes import Probes
from hub.store.elastic.cluster import Address
from hub.store.elastic.engine import ElasticStore
from hub.store.elastic.indices import Layout
from hub.store.ports import HUB, Batch, DocumentWrite, LedgerCount, LedgerKey
from tests.access.authority import Authority
from tests.contract.drafts import draft
from tests.elastic import node
from tests.elastic.liaison import Liaison, fails, refused
from tests.elastic.weather import flooded, red
from tests.soak.running import prepare

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

ROLES = Path(__file__).parents[2] / "deploy" / "elasticsearch" / "roles.yml"
ONE = Layout(1, replicas=0)
PASSWORD = "a long password"
USERS = {"setup": "threathub_setup", "hub": "threathub", "guest": "", "root": "superuser"}
ROLE_OF_A_READER = USERS | {"hub": "reader"}
_READER = b"""
reader:
  indices:
    - names: ["threathub-*"]
      privileges: [read, maintenance, view_index_metadata]
"""
_SECURE = (
    node.ALONE
    + """\
xpack.security.enabled: true
resource.reload.interval.high: 1s
xpack.security.http.ssl.enabled: true
xpack.security.http.ssl.key: node.key
xpack.security.http.ssl.certificate: node.pem
"""
)


def everything(number: int) -> Batch:
    key = LedgerKey("domain-name:evil.example", "dns", 1)
    return Batch([draft(f"x--{number}")], ledger={key: LedgerCount(1, 1, 1)}, documents=[DocumentWrite("k", "1", b"")])


def told(store: ElasticStore, status: str = "200 OK") -> dict[str, Any]:
    """Return what ``/readyz`` says with a status, while the store can be read by default."""
    environ: WSGIEnvironment = {"REQUEST_METHOD": "GET", "PATH_INFO": "/readyz"}
    statuses: list[str] = []
    probes = Probes(store, "A city", dict, dict, Networks("metrics_for", ()))
    answer: dict[str, Any] = json.loads(b"".join(probes(environ, lambda line, *_: statuses.append(line))))  # type: ignore[arg-type]
    assert statuses == [status]
    return answer


def test_a_node_that_is_not_there() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = Address((f"http://127.0.0.1:{probe.getsockname()[1]}",), "nowhere")
        with pytest.raises(StoreUnavailable, match="cannot be reached") as raised:
            ElasticStore(address)
    assert raised.value.retry_after


def test_a_file_of_the_authority_that_is_not_there(address: Address, tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="store_ca"):
        ElasticStore(replace(address, authority=tmp_path / "none.pem"))


@pytest.mark.parametrize("port", ["abc", "99999"])
def test_a_port_that_is_none(port: str) -> None:
    with pytest.raises(BadSettings, match="store"):
        ElasticStore(Address((f"http://127.0.0.1:{port}",), "nowhere"))


def test_a_cluster_that_takes_no_more_indices(address: Address) -> None:
    with pytest.raises(StoreFull, match="max_shards_per_node"):
        ElasticStore(address, layout=Layout(1, replicas=20_000))


def test_with_a_second_node_the_first_may_be_away(address: Address) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        away = f"http://127.0.0.1:{probe.getsockname()[1]}"
        store = ElasticStore(replace(address, hosts=(away, *address.hosts)), layout=ONE)
        for number in range(6):
            store.commit(everything(number))
            assert store.head().position == number + 1
            assert store.document("k", "1") is not None
        store.close()


@pytest.fixture
def silent() -> Iterator[str]:
    """Where nobody says that nobody is there: as of a machine without power, not even a refusal comes back."""
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        yield f"http://127.0.0.1:{full.getsockname()[1]}"


def test_with_a_second_node_the_first_may_be_without_power(address: Address, silent: str) -> None:
    store = ElasticStore(replace(address, hosts=(silent, *address.hosts)), layout=ONE, patience=4)
    for number in range(4):
        store.commit(everything(number))
        assert store.head().position == number + 1
        assert store.document("k", "1") is not None
    store.close()


def test_full_disks_stop_writers_and_not_readers(store: ElasticStore) -> None:
    store.commit(everything(1))
    with flooded(store._cluster.client, f"{store._cluster.prefix}-*"):
        with pytest.raises(StoreFull, match="disk"):
            store.commit(everything(2))
        assert set(store.get(HUB, ["x--1", "x--2"])) == {"x--1"}
        assert store.verify() == []
        assert (told(store)["status"], told(store)["error"]["code"]) == ("reads only", "store-full")
    assert told(store) == {"status": "ready"}
    store.commit(everything(2))
    assert (store.head().position, store.ledger(["domain-name:evil.example"])[0].total.number) == (2, 2)


def test_a_red_shard_is_told_and_waited_for(address: Address) -> None:
    store = ElasticStore(address, layout=ONE, patience=2)
    store.commit(everything(1))
    with red(store._cluster.client, store._generations.current.objects):
        for call in (lambda: store.commit(everything(2)), store.head, lambda: store.get(HUB, ["x--1"])):
            with pytest.raises(StoreUnavailable, match="a shard is missing") as raised:
                call()
            assert raised.value.retry_after
        answer = told(store, "503 Not Ready")
        assert answer["error"]["code"] == "store-unavailable" and "shard" in answer["error"]["message"]
    store.commit(everything(3))
    assert told(store)["status"] == "ready"
    assert store.verify() == []
    store.close()


class _Old(BaseHTTPRequestHandler):
    """Answers as Elasticsearch 7 does to a client that speaks of version 8."""

    def do_GET(self) -> None:
        body = b'{"error":{"type":"media_type_header_exception","reason":"Invalid media-type"},"status":400}'
        self.send_response(400)
        for name, value in (
            ("X-Elastic-Product", "Elasticsearch"),
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Be quiet."""


def test_a_version_that_is_too_old() -> None:
    with HTTPServer(("127.0.0.1", 0), _Old) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(StoreVersion, match="older than the hub"):
            ElasticStore(Address((f"http://127.0.0.1:{server.server_port}",), "old"))
        server.shutdown()


def test_a_lost_index_is_told(store: ElasticStore, address: Address) -> None:
    store._cluster.client.indices.delete(index=f"{address.prefix}-objects-1-v1")
    with pytest.raises(StoreCorrupt, match="missing"):
        store.head()
    with pytest.raises(StoreCorrupt, match="missing"):
        store.commit(everything(1))


def test_a_lost_log_is_not_made_anew(store: ElasticStore, address: Address) -> None:
    store._cluster.client.indices.delete(index=f"{address.prefix}-log-v1")
    for create in (True, False):
        with pytest.raises(StoreCorrupt, match="missing"):
            ElasticStore(address, create=create)


@pytest.mark.parametrize("meta", [{}, {"threathub": 99}])
def test_indices_that_are_not_ours_are_left_alone(store: ElasticStore, address: Address, meta: dict[str, int]) -> None:
    store._cluster.client.indices.put_mapping(index=f"{address.prefix}-objects-1", meta=meta)
    with pytest.raises(StoreVersion):
        ElasticStore(address)


def test_nothing_is_made_unasked(address: Address) -> None:
    with pytest.raises(NoSuchFile):
        ElasticStore(address, create=False)


@dataclass
class Secured:
    """A node of its own, with TLS and accounts."""

    node: node.Node
    address: Address
    context: ssl.SSLContext

    def start(self) -> None:
        found = self.node.start(self.context, f"root:{PASSWORD}")
        self.address = replace(self.address, hosts=(found,))

    def give(self, users: Mapping[str, str]) -> None:
        """Give roles to the accounts, and take those away that they have; the node reads the file again by itself."""
        (self.node.home / "config" / "users_roles").write_bytes(_roles(users))

    def opened(self, user: str = "hub", *, create: bool = False, patience: float = 20) -> ElasticStore:
        return ElasticStore(replace(self.address, user=user), layout=ONE, create=create, patience=patience)


def _roles(users: Mapping[str, str]) -> bytes:
    return "".join(f"{role}:{user}\n" for user, role in users.items() if role).encode()


def _hashed(password: str) -> str:
    salt = os.urandom(32)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 1000, 32)
    return f"{{PBKDF2}}1000${b64encode(salt).decode()}${b64encode(digest).decode()}"


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    node.required()
    authority = Authority(tmp_path_factory.mktemp("authority"))
    issued = authority.issue("node", server=True)
    files = {
        "node.pem": issued.content,
        "node.key": issued.key.read_bytes(),
        "roles.yml": ROLES.read_bytes() + _READER,
        "users": "".join(f"{user}:{_hashed(PASSWORD)}\n" for user in USERS).encode(),
        "users_roles": _roles(USERS),
    }
    own = Secured(
        node.Node(node.archive(), _SECURE, files),
        Address((), "threathub", password=PASSWORD, authority=authority.file),
        authority.client_context(None),
    )
    try:
        own.start()
        own.opened("setup", create=True).close()
        yield own
    finally:
        own.node.remove()


@pytest.mark.xdist_group("secured-node")
class TestSecured:
    def test_the_least_role_is_enough(self, secured: Secured) -> None:
        store = secured.opened()
        store.commit(everything(1))
        assert store.head().position == 1
        assert len(store.documents("k")) == len(store.ledger(["domain-name:evil.example"])) == 1
        assert store.verify() == []
        assert told(store)["status"] == "ready"
        store.close()

    @pytest.mark.parametrize(
        ("wrong", "told"),
        [
            ({"user": "nobody"}, "account"),
            ({"user": "hub", "password": "wrong"}, "account"),
            ({"user": "guest"}, "account"),
            ({"user": "hub", "authority": None}, "certificate"),
        ],
    )
    def test_who_may_not_is_told_so(self, secured: Secured, wrong: dict[str, str], told: str) -> None:
        with pytest.raises(StoreUnavailable, match=told) as raised:
            ElasticStore(replace(secured.address, **wrong))  # type: ignore[arg-type]
        assert PASSWORD not in str(raised.value)

    def test_a_running_hub_cannot_make_indices(self, secured: Secured) -> None:
        with pytest.raises(StoreUnavailable, match="role"):
            ElasticStore(replace(secured.address, user="hub", prefix="threathub-other"), create=True)

    @pytest.mark.soak
    def test_a_node_that_hangs(self, secured: Secured) -> None:
        store = secured.opened(patience=4)
        store.commit(everything(2))
        secured.node.signal(signal.SIGSTOP)
        for call in (lambda: store.commit(everything(3)), store.head):
            with pytest.raises(StoreUnavailable, match="try again"):
                call()
        # A probe does not wait for as long as the store does.
        assert told(store, "503 Not Ready")["error"]["code"] == "store-unavailable"
        secured.node.signal(signal.SIGCONT)
        store.close()
        store = secured.opened()
        store.commit(everything(4))
        assert store.verify() == []
        store.close()

    def test_those_who_use_a_hub_are_told_and_it_goes_on(self, secured: Secured, tmp_path: Path) -> None:
        place = {"store": f"{secured.address.hosts[0]}/threathub", "store_user": "hub", "store_password": PASSWORD}
        place |= {"store_ca": str(secured.address.authority), "store_replicas": "0"}
        hub = prepare(tmp_path, **place, store_patience="4")
        liaison = Liaison(hub)
        try:
            hub.start()
            assert liaison.send(1)[0] == 202
            secured.node.signal(signal.SIGSTOP)
            for answer in (liaison.read(), liaison.send(3), liaison.search()):
                assert refused(answer, of="store-unavailable"), answer
            assert fails(liaison.command(), of="cannot be reached")
            assert liaison.told() == (503, "", "store-unavailable")
            secured.node.signal(signal.SIGCONT)
            liaison.until(lambda: liaison.ready() == (200, "ready"), "a hub that is well again")
            assert liaison.send(3)[0] == 202
            secured.give(ROLE_OF_A_READER)
            liaison.until(lambda: liaison.ready() == (200, "reads only"), "a hub that may not write")
            assert b"account" in hub.ask("GET", "/readyz")[2]
            assert refused(liaison.send(5), of="store-unavailable")
            assert liaison.read()[0] == liaison.search()[0] == 200 and liaison.command() == (0, "")
            secured.give({})
            liaison.until(lambda: liaison.ready() == (503, ""), "a hub that may not even read")
            assert b"account" in hub.ask("GET", "/readyz")[2]
            for answer in (liaison.send(5), liaison.read(), liaison.search()):
                assert refused(answer, of="store-unavailable"), answer
            assert fails(liaison.command(), of="account")
            secured.give(USERS)
            liaison.until(lambda: liaison.ready() == (200, "ready"), "a hub that is well again")
            assert liaison.send(5)[0] == 202
            assert hub.stop() == 0
        finally:
            secured.node.signal(signal.SIGCONT)
            secured.give(USERS)
            hub.kill()
        printed = hub.printed.read_text()
        assert "\nTraceback" not in printed and PASSWORD not in printed

    @pytest.mark.soak
    def test_a_node_that_dies_keeps_what_was_acknowledged(self, secured: Secured) -> None:
        store = secured.opened()
        store.commit(everything(5))
        before = store.read_log(0, 10)
        secured.node.kill()
        with pytest.raises(StoreUnavailable):
            store.head()
        store.close()
        secured.start()
        store = secured.opened()
        assert store.read_log(0, 10) == before
        assert store.verify() == []
        store.close()
