"""One `store upgrade` in a process of its own: ``python -m tests.elastic.upgrading ADDRESS SHARDS RATE``.

With RATE it dies or pauses, with this probability, before and after each request to the cluster.
"""

from __future__ import annotations

import sys

from hub.store.opening import Access, open_store
from tests.elastic import failpoints


def main(address: str, shards: str, rate: str) -> None:
    """Upgrade; what kills it leaves all as it was, or further."""
    if float(rate):
        failpoints.plant(float(rate))
    open_store(address, access=Access(replicas=min(1, address.count(",")), shards=int(shards))).upgrade(lambda *_: None)


if __name__ == "__main__":
    main(*sys.argv[1:])
