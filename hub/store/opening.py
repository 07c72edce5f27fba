"""Opening a store by its address; the only place that knows which engines there are."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from hub.errors import BadSettings, NoSuchFile, StoreVersion
from hub.store.moving import MARK, Movable

_SQLITE = "sqlite:///"
_CLUSTER = re.compile(r"(https?://)([^/?#@,]+(?:,[^/?#@,]+)*)/([a-z][a-z0-9_-]{0,60})/?")


@dataclass(frozen=True, slots=True)
class Access:
    """How to come to a store that is no file.

    Attributes:
        user, password: of the account there; no user is no account.
        authority: PEM file with the authority that signed its certificates; None asks the system's.
        replicas: further copies of what is made there. shards: parts that it is divided into.
    """

    user: str = ""
    password: str = field(default="", repr=False)
    authority: Path | None = None
    replicas: int = 1
    shards: int = 1


NO_ACCESS = Access()


def open_store(
    address: str,
    *,
    access: Access = NO_ACCESS,
    patience: float = 30.0,
    create: bool = True,
    unfinished: bool = False,
) -> Movable:
    """Open a store.

    Args:
        address: ``sqlite:///path`` or ``https://host:9200/prefix``, further hosts behind commas.
        access: for the latter. patience: seconds to wait for other writers, or for a cluster that is not well.
        create: make it if it is not there.
        unfinished: open it also when a move into it has begun and not ended.

    Raises:
        BadSettings: no engine has such an address. NoSuchFile: it is not there, and ``create`` is off.
        StoreVersion: it is not finished, or another program's. StoreUnavailable, StoreFull, StoreCorrupt: it cannot be
            opened.
    """
    if address.startswith(_SQLITE) and address != _SQLITE:
        store = _file(Path(address.removeprefix(_SQLITE)), patience, create)
    elif match := _CLUSTER.fullmatch(address):
        scheme, hosts, prefix = match.groups()
        store = _cluster([f"{scheme}{host}" for host in hosts.split(",")], prefix, access, patience, create)
    else:
        raise BadSettings(
            f"{address!r} is no address of a store: sqlite:///path, or https://host:9200/prefix for Elasticsearch"
            " (user and password are settings of their own)"
        )
    if not unfinished and store.document(*MARK) is not None:
        store.close()
        raise StoreVersion("a move into this store was interrupted: run the same `threathub migrate` again")
    return store


def _file(path: Path, patience: float, create: bool) -> Movable:
    from hub.store.sqlite.engine import SqliteStore

    if not create and not path.is_file():
        raise NoSuchFile(f"there is no store {path.name}")
    return SqliteStore(path, patience=patience)


def _cluster(hosts: list[str], prefix: str, access: Access, patience: float, create: bool) -> Movable:
    # The client takes half a second to import; nobody else waits for it.
    from hub.store.elastic.cluster import Address
    from hub.store.elastic.engine import ElasticStore
    from hub.store.elastic.indices import Layout

    address = Address(tuple(hosts), prefix, access.user, access.password, access.authority)
    layout = Layout(access.shards, access.replicas)
    return ElasticStore(address, patience=patience, layout=layout, create=create)
