"""Read only, write only, both, neither: each kind of collection, for each account, at every address."""

from __future__ import annotations

import pytest

from tests.taxii.served import Hub, indicator

PARTS = ("manifest/", "objects/", "objects/{id}/", "objects/{id}/versions/")
# account, collection: may it know of it, read there, write there
KINDS = [
    ("leo", "inbox", True, True, True),
    ("leo", "drop-box", True, False, True),
    ("leo", "city-indicators", True, True, False),
    ("leo", "city-sector-water", True, False, False),
    ("pam", "inbox", False, False, False),
    ("pam", "drop-box", False, False, False),
    ("pam", "partner-indicators", True, True, False),
    ("ana", "drop-box", True, True, False),
    ("ana", "evidence", False, False, False),
]


@pytest.mark.requirement("B07", "B08", "B09", "B10", "B11", "B12", "F07")
@pytest.mark.parametrize(("user", "key", "know", "read", "write"), KINDS)
def test_every_kind_at_every_address(hub: Hub, user: str, key: str, know: bool, read: bool, write: bool) -> None:
    where, one = f"/hub/collections/{key}/", indicator()
    assert hub.get(where, user).status == (200 if know else 404)
    listed = {entry["alias"]: entry for entry in hub.get("/hub/collections/", user).json()["collections"]}
    assert (key in listed) == know
    if know:
        assert (listed[key]["can_read"], listed[key]["can_write"]) == (read, write)
    before = hub.get(f"{where}objects/", "ana").body
    for part in PARTS:
        found = hub.get(where + part.format(id=one["id"]), user).status
        assert found == (404 if not know or (read and "{id}" in part) else 200 if read else 403), part
    gone = hub.call("DELETE", f"{where}objects/{one['id']}/", user).status
    assert gone == (404 if not (read or write) or (read and write) else 403)
    posted = hub.call("POST", f"{where}objects/", user, body={"objects": [one]}).status
    assert posted == (404 if not know else 202 if write else 403)
    if not write:
        assert hub.get(f"{where}objects/", "ana").body == before
