"""Advisories and their receipts as JSON: what the command line prints with ``--json`` and what the API answers."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import msgspec
import orjson

from hub.model import times

if TYPE_CHECKING:
    from hub.publish.advisories import Advisory
    from hub.publish.receipts import Status


def advisory_document(advisory: Advisory) -> dict[str, Any]:
    """Return an advisory for programs: times as text, without what is not looked at yet."""
    document: dict[str, Any] = msgspec.to_builtins(advisory)
    terms = document.pop("terms")
    del document["given"]
    for name in ("latest", "version"):
        document[name] = moment_text(document[name] or None)
    document |= {**terms, "audience": list(terms["audience"]), "expires": moment_text(terms["expires"])}
    document["entitled"] = list(document["entitled"])
    document["history"] = [{**one, "at": moment_text(one["at"])} for one in document["history"]]
    return document


def status_document(found: Status) -> dict[str, Any]:
    """Return a status for programs; without its list of the entitled where somebody must not be named."""
    document = asdict(found)
    document["advisory"] = advisory_document(found.advisory)
    document["published"] = moment_text(found.published)
    for name in ("half_after", "ninety_after"):
        document[f"{name}_seconds"] = None if document[name] is None else document[name] / times.SECOND
        del document[name]
    for one in document["recipients"]:
        one |= {name: moment_text(one[name]) for name in ("pulled", "acknowledged", "last_poll")}
    if not all(one.organisation for one in found.recipients):
        del document["advisory"]["entitled"]
    return orjson.loads(orjson.dumps(document))  # type: ignore[no-any-return]


def moment_text(moment: int | None) -> str | None:
    """Return a time (microseconds UTC) as text, None as None."""
    return None if moment is None else times.format_timestamp(moment)
