"""Opening a store by its address; the only place that knows which engines there are."""

from __future__ import annotations

from pathlib import Path

from hub.errors import BadSettings, StoreVersion
from hub.store.moving import MARK, Movable
from hub.store.sqlite.engine import SqliteStore

_SQLITE = "sqlite:///"


def open_store(address: str, *, patience: float = 30.0, unfinished: bool = False) -> Movable:
    """Open a store, made if it is not there.

    Args:
        address: ``sqlite:///path``. patience: seconds to wait for other writers.
        unfinished: open it also when a move into it has begun and not ended.

    Raises:
        BadSettings: no engine has such an address.
        StoreVersion: it is not finished, or another program's. StoreUnavailable, StoreFull, StoreCorrupt: it cannot be
            opened.
    """
    if not address.startswith(_SQLITE) or address == _SQLITE:
        raise BadSettings(f"{address!r} is no address of a store: it begins with {_SQLITE}")
    store = SqliteStore(Path(address.removeprefix(_SQLITE)), patience=patience)
    if not unfinished and store.document(*MARK) is not None:
        store.close()
        raise StoreVersion("a move into this store was interrupted: run the same `threathub migrate` again")
    return store
