"""What the tests of publication share: a whole hub with members, and objects to hand in."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

from hub.access.accounts import Group, Organisation
from hub.admission.gate import Origin
from hub.app import Hub, open_hub
from hub.model.audience import TLP
from hub.model.items import StixItem
from hub.model.markings import MARKING_ID
from hub.settings import Settings
from hub.store.ports import PageQuery, Scope, Versions
from tests.stores import settings_of

PASSWORD = "a long enough password"
MEMBERS = (
    (Organisation("city", "The city", "city"), "ana", "analyst"),
    (Organisation("fed", "Federal agency", "federal"), "lea", "liaison"),
    (Organisation("state", "State agency", "federal"), "sam", "liaison"),
    (Organisation("water", "Water works", "department", ("utilities",)), "wes", "partner"),
    (Organisation("power", "Power works", "partner", ("utilities",)), "pat", "partner"),
    (Organisation("bank", "Bank", "partner"), "ben", "partner"),
)


def new_hub(data: Path, feeds: Path | None = None) -> Hub:
    """Make a hub with six members, one account each, and a senior analyst; the federal agency is trusted."""
    given = {"data": data, "trusted_organisations": ("fed",), "feeds": feeds, **settings_of(data)}
    hub = open_hub(Settings.model_validate(given), create=True)
    hub.accounts.add_group(Group("utilities", "Utilities", sector=True))
    for organisation, user, role in MEMBERS:
        hub.accounts.add_organisation(organisation)
        hub.accounts.add_user(user, organisation.name, role)  # type: ignore[arg-type]
    hub.accounts.add_user("sen", "city", "senior-analyst")
    return hub


def indicator(modified: str = "2026-01-02T00:00:00.000Z", **properties: Any) -> dict[str, Any]:
    """Return a valid indicator."""
    return {
        "type": "indicator",
        "spec_version": "2.1",
        "id": f"indicator--{uuid.uuid4()}",
        "created": "2026-01-02T00:00:00.000Z",
        "modified": modified,
        "pattern": f"[file:hashes.'SHA-256' = '{uuid.uuid4().hex * 2}']",
        "pattern_type": "stix",
        "valid_from": "2026-01-02T00:00:00Z",
        "object_marking_refs": [MARKING_ID[TLP.GREEN]],
        **properties,
    }


def report(*about: dict[str, Any], tlp: TLP = TLP.GREEN, **properties: Any) -> dict[str, Any]:
    """Return a report on objects."""
    return {
        "type": "report",
        "spec_version": "2.1",
        "id": f"report--{uuid.uuid4()}",
        "created": "2026-01-02T00:00:00.000Z",
        "modified": "2026-01-02T00:00:00.000Z",
        "name": "Doors of pumping stations answer strangers",
        "published": "2026-01-02T00:00:00Z",
        "object_refs": [one["id"] for one in about] or [f"indicator--{uuid.uuid4()}"],
        "object_marking_refs": [MARKING_ID[tlp]],
        **properties,
    }


def next_version(obj: dict[str, Any], **properties: Any) -> dict[str, Any]:
    """Return an object as its originator sends it again, a day later."""
    day = int(obj["modified"][8:10]) + 1
    return {**obj, "modified": f"2026-01-{day:02d}T00:00:00.000Z", **properties}


def post(hub: Hub, user: str, *objects: dict[str, Any], collection: str = "inbox") -> None:
    """Store objects as a POST of an account stores them; nothing looks at them yet."""
    principal = hub.principal(user)
    origin = Origin(f"user:{user}", principal.organisation, (collection,), hub.collections[collection].marking)
    receipt = hub.gate.admit([StixItem(json.dumps(one).encode(), "") for one in objects], origin)
    assert receipt.quarantined == 0, receipt.results


def work(hub: Hub) -> None:
    """Do the background work of publication until nothing is left."""
    while hub.publication.publisher.run():
        pass
    hub.publication.publisher.expire()
    while hub.publication.retraction.follow():
        pass


def seen_by(hub: Hub, user: str, collection: str = "federal-advisories") -> dict[str, dict[str, Any]]:
    """Return what a poll from the beginning gives an account: the last version of each object, by id."""
    principal = hub.principal(user)
    scope = Scope(principal.reader, frozenset((collection,)) & hub.collections.readable(principal))
    page = hub.store.read_objects(scope, PageQuery(collection))
    return {one["id"]: one for one in json.loads(b"[%b]" % page.joined)}


def versions_of(hub: Hub, collection: str, id: str) -> list[dict[str, Any]]:
    """Return every version that a collection holds of an object, in order of arrival."""
    query = PageQuery(collection, ids=frozenset((id,)), versions=Versions(last=False, all=True))
    page = hub.store.read_objects(Scope(None, frozenset((collection,))), query)
    return list(json.loads(b"[%b]" % page.joined))
