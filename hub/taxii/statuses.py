"""Status resources (TAXII 2.1 section 4.3): what became of each object of a POST, kept for its submitter."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import orjson

from hub.access.principal import Principal
from hub.admission.gate import Result
from hub.model import times
from hub.store.ports import UNVERSIONED, DocumentWrite, Store

KEPT = 7 * times.DAY
"""How long a status can be fetched; the standard wants 24 hours after completion."""

_TEXT_LENGTH = 500
_NO_VERSION = times.format_timestamp(UNVERSIONED)


class Statuses:
    """The status resources of a store; nobody but the account that posted can fetch one."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def made(
        self, user: str, api_root: str, collection: str, begun: int, results: Sequence[Result]
    ) -> tuple[dict[str, Any], DocumentWrite]:
        """Return the status of a POST into a collection that began at ``begun`` (microseconds), and what keeps it."""
        failures = [_failure(number, result) for number, result in enumerate(results) if _failed(result)]
        successes = [{"id": one.id, "version": one.version_text} for one in results if not _failed(one)]
        status: dict[str, Any] = {
            "id": str(uuid.uuid4()),
            "status": "complete",
            "request_timestamp": times.format_timestamp(begun),
            "total_count": len(results),
            "success_count": len(successes),
            "failure_count": len(failures),
            "pending_count": 0,
        }
        status.update(
            {name: details for name, details in (("successes", successes), ("failures", failures)) if details}
        )
        kept = orjson.dumps({"user": user, "api_root": api_root, "collection": collection, "status": status})
        return status, DocumentWrite("status", status["id"], kept, expect=0, expires=begun + KEPT)

    def get(self, principal: Principal, api_root: str, status_id: str) -> dict[str, Any] | None:
        """Return a status, or None when there is none of that id for this account under this API root.

        A token for some collections only gets none of a POST into another one.
        """
        document = self._store.document("status", status_id)
        if document is None:
            return None
        kept = orjson.loads(document.value)
        status: dict[str, Any] = kept["status"]
        own = (kept["user"], kept["api_root"]) == (principal.user, api_root)
        return status if own and principal.is_for(kept.get("collection", "")) else None


def _failed(result: Result) -> bool:
    # "merged" is the same version with other content: the one that came first stays, so this one cannot be read back.
    return result.outcome not in ("stored", "unchanged")


def _failure(number: int, result: Result) -> dict[str, str]:
    # An object without an id of its own is named by its place; the standard leaves that to the server (4.3.1).
    return {
        "id": (result.id or f"objects/{number}")[:_TEXT_LENGTH],
        "version": (result.version_text or _NO_VERSION)[:_TEXT_LENGTH],
        "message": f"{result.reason}: {result.message}"[:_TEXT_LENGTH],
    }
