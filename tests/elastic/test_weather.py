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
from collections.abc import Iterator
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hub.errors import BadSettings, NoSuchFile, StoreCorrupt, StoreFull, StoreUnavailable, StoreVersion
from hub.ops.probes import Probes
from hub.store.elastic.cluster import Address
from hub.store.elastic.engine import ElasticStore
from hub.store.elastic.indices import Layout, log_of
from hub.store.ports import HUB, Batch, DocumentWrite, LedgerCount, LedgerKey
from tests.access.authority import Authority
from tests.contract.drafts import draft
from tests.elastic import node

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

ROLES = Path(__file__).parents[2] / "deploy" / "elasticsearch" / "roles.yml"
ONE = Layout(1, replicas=0)
PASSWORD = "a long password"
USERS = {"setup": "threathub_setup", "hub": "threathub", "guest": "", "root": "superuser"}
_SECURE = (
    node.ALONE
    + """\
xpack.security.enabled: true
xpack.security.http.ssl.enabled: true
xpack.security.http.ssl.key: node.key
xpack.security.http.ssl.certificate: node.pem
"""
)


def everything(number: int) -> Batch:
    key = LedgerKey("domain-name:evil.example", "dns", 1)
    return Batch([draft(f"x--{number}")], ledger={key: LedgerCount(1, 1, 1)}, documents=[DocumentWrite("k", "1", b"")])


def set_block(store: ElasticStore, value: bool | None) -> None:
    now = store._generations.current
    for name in (log_of(store._cluster), now.objects, now.all_months):
        store._cluster.client.indices.put_settings(index=name, settings={"index.blocks.read_only_allow_delete": value})


def told(store: ElasticStore, status: str = "200 OK") -> dict[str, Any]:
    """Return what ``/readyz`` says with a status, while the store can be read by default."""
    environ: WSGIEnvironment = {"REQUEST_METHOD": "GET", "PATH_INFO": "/readyz"}
    statuses: list[str] = []
    probes = Probes(store, "A city", dict, dict)
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


def test_full_disks_stop_writers_and_not_readers(store: ElasticStore) -> None:
    store.commit(everything(1))
    set_block(store, True)
    with pytest.raises(StoreFull, match="disk"):
        store.commit(everything(2))
    assert set(store.get(HUB, ["x--1", "x--2"])) == {"x--1"}
    assert store.verify() == []
    assert (told(store)["status"], told(store)["error"]["code"]) == ("reads only", "store-full")
    set_block(store, None)
    assert told(store) == {"status": "ready", "position": 1}
    store.commit(everything(2))
    assert (store.head().position, store.ledger(["domain-name:evil.example"])[0].total.number) == (2, 2)


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

    def opened(self, user: str = "hub", *, create: bool = False, patience: float = 20) -> ElasticStore:
        return ElasticStore(replace(self.address, user=user), layout=ONE, create=create, patience=patience)


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
        "roles.yml": ROLES.read_bytes(),
        "users": "".join(f"{user}:{_hashed(PASSWORD)}\n" for user in USERS).encode(),
        "users_roles": "".join(f"{role}:{user}\n" for user, role in USERS.items() if role).encode(),
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
