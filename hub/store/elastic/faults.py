"""Every error of the Elasticsearch client, as one of the hub's own: the only place that knows its answers.

Messages never hold an address, a password or an index name: the client's own text is kept as the cause, for the log.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import elastic_transport
import elasticsearch

from hub.errors import HubError, InternalError, StoreCorrupt, StoreFull, StoreUnavailable, StoreVersion, TooLarge

RETRY_AFTER = 5
"""Seconds after which a cluster that is busy or out of reach is worth another try."""
NO_ROOM = ("flood-stage", "read-only-allow-delete", "read-only / allow delete", "index read-only", "cluster read-only")


class Passing(StoreUnavailable):
    """Trouble that may pass: no answer, or a refusal for the moment; whether a write took effect is open."""


class LostMoment(Passing):
    """A state that was held is no longer there: a node went, or indices were replaced or forgotten."""


class TooSlow(StoreUnavailable):
    """A search took longer than it may."""


class Missing(StoreCorrupt):
    """An index is not there, or is empty: it was lost, or others have taken its place meanwhile."""


def missing() -> Missing:
    """Return the error of an index that is not there."""
    return Missing("An index of the hub is missing in Elasticsearch; restore it from a snapshot.")


def lost_moment() -> LostMoment:
    """Return the error of a state that was held and is no longer there."""
    return LostMoment(
        "The moment of the store that was being read is lost (a node went, indices were replaced, or it took too long);"
        " begin again.",
        retry_after=RETRY_AFTER,
    )


def unreachable() -> HubError:
    """Return the error of a cluster that does not answer."""
    return Passing(
        "Elasticsearch cannot be reached; nothing acknowledged was lost, try again.", retry_after=RETRY_AFTER
    )


def answered(status: int, kind: str, reason: str) -> HubError:
    """Return the hub's error for an answer with an error.

    Args:
        status: the HTTP status. kind: the error's type. reason: what Elasticsearch says of it.
    """
    if status in (401, 403) and "block" not in kind:
        return StoreUnavailable(
            "Elasticsearch refuses the hub's account; check store_user, store_password and the role's rights."
        )
    if "cluster_block" in kind and any(sign in reason for sign in NO_ROOM):
        return StoreFull(
            "Elasticsearch takes no writes: its disks are nearly full, or the indices are read-only; free some space."
        )
    if kind in ("index_not_found_exception", "alias_not_found_exception"):
        return missing()
    if "snapshot_in_progress" in kind:
        return Passing(
            "Elasticsearch deletes no index of which it is just taking a snapshot; try again when it is taken.",
            retry_after=RETRY_AFTER,
        )
    if "validation" in kind and "maximum normal shards" in reason:
        return StoreFull("Elasticsearch takes no more indices; add a node, or raise cluster.max_shards_per_node.")
    if "media_type" in kind or "content_type_header" in kind:
        return StoreVersion("This Elasticsearch is older than the hub can work with; install 8.19 or later.")
    if ("timeout" in kind and "search" in kind) or "Time exceeded" in reason:
        return TooSlow("Elasticsearch took too long over a search; try again.")
    if status == 413:
        return TooLarge("One commit is larger than Elasticsearch takes.")
    if status == 429:
        return Passing("Elasticsearch is too busy just now; try again.", retry_after=RETRY_AFTER)
    if status >= 500 or "cluster_block" in kind:
        return Passing(
            "Elasticsearch cannot serve the hub's indices just now (no quorum, or a shard is missing); nothing"
            " acknowledged was lost, try again.",
            retry_after=RETRY_AFTER,
        )
    return InternalError("Elasticsearch was asked for something it cannot do; this is a bug in the hub.")


def _of_answer(error: elasticsearch.ApiError) -> HubError:
    body = error.body if isinstance(error.body, dict) else {}
    fault = body.get("error")
    fault = fault if isinstance(fault, dict) else {}
    causes = [fault, *(fault.get("root_cause") or ())]
    kinds = " ".join(str(cause.get("type", "")) for cause in causes)
    reasons = " ".join(str(cause.get("reason", "")) for cause in causes)
    kind = "index_not_found_exception" if "index_not_found" in kinds else kinds
    return answered(error.meta.status, kind, reasons)


def hub_error(error: Exception) -> HubError:
    """Return the hub's error for one of the client's."""
    if isinstance(error, elasticsearch.ApiError):
        return _of_answer(error)
    if isinstance(error, elastic_transport.TlsError):
        return StoreUnavailable("The certificate of Elasticsearch is not trusted; check store_ca and the address.")
    if isinstance(error, elasticsearch.UnsupportedProductError):
        return StoreUnavailable("What answers at the address of the store is not Elasticsearch; check the setting.")
    if isinstance(error, elastic_transport.TransportError):
        return unreachable()
    return InternalError("The Elasticsearch client failed in an unknown way; this is a bug in the hub.")


@contextmanager
def mapped() -> Iterator[None]:
    """Turn any error of the client that leaves the block into the hub's own."""
    try:
        yield
    except (elasticsearch.ApiError, elastic_transport.TransportError, elasticsearch.UnsupportedProductError) as error:
        raise hub_error(error) from error
