"""The liaison's whole way over real HTTP: taxii2-client against `threathub serve`, without the background work."""

from __future__ import annotations

import os
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import orjson
import pytest
from taxii2client.v21 import Collection, as_pages

from hub.model.audience import TLP
from tests import forked
from tests.publish.parts import indicator, next_version, report
from tests.publish.served import Served
from tests.stores import environment_of, writes

TAXII = "application/taxii+json;version=2.1"


def hand_in(served: Served, user: str, *objects: dict[str, Any], key: str = "inbox") -> None:
    status = served.collection(user, key).add_objects({"objects": list(objects)}, wait_for_completion=False)
    assert status.success_count == len(objects), status.failures


def delete(served: Served, user: str, key: str, id: str) -> None:
    address = f"/hub/collections/{served.hub.collections[key].id}/objects/{id}/"
    request = urllib.request.Request(f"http://127.0.0.1:{served.port}{address}", method="DELETE")
    request.add_header("Accept", TAXII)
    request.add_header("Authorization", f"Bearer {served.tokens[user]}")
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200


def objects(collection: Collection, **filters: Any) -> dict[str, dict[str, Any]]:
    pages = as_pages(collection.get_objects, per_request=10, **filters)
    return {one["id"]: one for page in pages for one in page.get("objects", [])}


def test_from_the_inbox_to_the_partner_to_the_receipt(served: Served) -> None:
    bad = [indicator() for _ in range(25)]
    advisory = report(*bad)
    hand_in(served, "lea", *bad, advisory)
    assert served.pulled(advisory["id"]) == set()
    found = objects(served.collection("ben", "federal-advisories"))
    assert {advisory["id"], *(one["id"] for one in bad)} <= found.keys()
    assert found[advisory["id"]] == advisory
    assert served.pulled(advisory["id"]) == {"bank"}
    served.collection("wes", "federal-advisories").get_object(advisory["id"])
    assert served.pulled(advisory["id"]) == {"bank", "water"}
    status = served.hub.publication.status(advisory["id"], "lea")
    assert (status.entitled, status.pulled, status.ninety_after) == (4, 2, None)
    polling = {one.organisation for one in served.hub.publication.status(advisory["id"]).recipients if not one.stale}
    assert {"bank", "water"} <= polling


def test_a_manifest_a_head_and_a_page_without_the_report_are_no_pull(served: Served) -> None:
    advisory = report()
    hand_in(served, "lea", advisory)
    collection = served.collection("pat", "federal-advisories")
    collection.get_manifest(**{"match[id]": advisory["id"]})
    request = urllib.request.Request(f"{collection.objects_url}?match[id]={advisory['id']}", method="HEAD")
    request.add_header("Accept", TAXII)
    request.add_header("Authorization", f"Bearer {served.tokens['pat']}")
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200
        assert int(answer.headers["Content-Length"]) > len(advisory["id"])
    objects(collection, type="indicator")
    assert served.pulled(advisory["id"]) == set()
    objects(collection, id=advisory["id"])
    assert served.pulled(advisory["id"]) == {"power"}


def test_polls_that_bring_nothing_new_write_nothing(served: Served) -> None:
    hand_in(served, "lea", report())
    collection = served.collection("ben", "federal-advisories")
    objects(collection)
    before = writes(served.hub.settings.data)
    for _ in range(3):
        objects(collection)
    assert writes(served.hub.settings.data) == before


def test_others_advisories_wait_and_a_note_acknowledges(served: Served) -> None:
    draft, advisory = report(), report(tlp=TLP.CLEAR)
    hand_in(served, "sam", draft)
    hand_in(served, "lea", advisory)
    assert served.hub.publication.publisher.book[draft["id"]].state == "draft"
    assert draft["id"] not in objects(served.collection("ben", "federal-advisories"))
    note = {name: text for name, text in report(advisory).items() if name not in ("name", "published")}
    note |= {"type": "note", "id": "note--0c9c2f0a-6f6d-4d0f-8a56-1c3a5a4d9a11", "content": "We have read it."}
    hand_in(served, "sam", note)
    status = served.hub.publication.status(advisory["id"])
    assert {one.organisation for one in status.recipients if one.acknowledged} == {"state"}


def test_a_withdrawn_advisory_reaches_an_incremental_poller(served: Served) -> None:
    bad = indicator()
    advisory = report(bad)
    hand_in(served, "lea", bad, advisory)
    collection = served.collection("ben", "federal-advisories")
    newest = collection.get_manifest(**{"match[id]": advisory["id"]})["objects"][-1]["date_added"]
    hand_in(served, "lea", next_version(advisory, revoked=True))
    news = objects(collection, added_after=newest)
    assert {id for id, one in news.items() if one.get("revoked")} >= {bad["id"], advisory["id"]}


def test_delete_is_a_revocation_where_the_hub_publishes_and_a_removal_in_the_inbox(served: Served) -> None:
    bad, own = indicator(), indicator()
    hand_in(served, "sam", bad, key="shared")
    hand_in(served, "sam", own)
    for key, one in (("shared", bad), ("inbox", own)):
        delete(served, "sam", key, one["id"])
    shared = served.collection("ben", "shared").get_object(bad["id"])["objects"]
    assert shared == [{**bad, "revoked": True, "modified": "2026-01-02T00:00:00.001Z"}]
    assert own["id"] not in objects(served.collection("sam", "inbox"))


def test_delete_in_the_inbox_is_a_withdrawal_everywhere_else(served: Served) -> None:
    about, alone = indicator(), indicator()
    advisory, other = report(about), report(alone)
    hand_in(served, "lea", about, advisory, alone, other)
    before = {user: objects(served.collection(user, "federal-advisories")) for user in ("ben", "pat")}
    assert all({about["id"], advisory["id"], alone["id"]} <= found.keys() for found in before.values())
    delete(served, "lea", "inbox", advisory["id"])
    delete(served, "lea", "inbox", alone["id"])
    for user in ("ben", "pat"):
        found = objects(served.collection(user, "federal-advisories"))
        for one in (about, advisory, alone):
            assert found[one["id"]] == {**one, "revoked": True, "modified": "2026-01-02T00:00:00.001Z"}
        assert found[other["id"]] == other
    mine = objects(served.collection("lea", "inbox"))
    assert {advisory["id"], alone["id"]}.isdisjoint(mine)
    assert mine[about["id"]] == about
    status = served.hub.publication.status(advisory["id"])
    assert (status.advisory.state, status.advisory.history[-1].why) == ("withdrawn", "deleted from the inbox")


def test_the_command_line_pushes_tells_and_ends(served: Served, tmp_path: Path) -> None:
    def command(*words: str) -> Any:
        environment = {
            **os.environ,
            **environment_of(served.hub.settings.data),
            "THREATHUB_DATA": str(served.hub.settings.data),
            "THREATHUB_TRUSTED_ORGANISATIONS": '["fed"]',
        }
        done = forked.run(["advisory", *words], cwd=tmp_path, env=environment)
        done.check_returncode()
        return orjson.loads(done.stdout) if "--json" in words else done.stdout

    form = tmp_path / "advisory.toml"
    form.write_text(
        'title = "Doors"\ntext = "Seen."\ntlp = "AMBER"\naudience = ["bank"]\nexpires = 2099-01-31\n'
        'indicators = ["hxxp://bad[.]example-door[.]com/a", "203.0.113.9"]\n'
    )
    pushed = command("push", str(form), "--as", "lea", "--json")
    (kept,) = pushed["advisories"]
    assert (kept["state"], kept["entitled"], kept["tlp"]) == ("published", ["bank", "city", "fed"], "AMBER")
    found = objects(served.collection("ben", "federal-advisories"), id=kept["id"])
    assert found[kept["id"]]["name"] == "Doors"
    assert objects(served.collection("pat", "federal-advisories"), id=kept["id"]) == {}
    assert "pulled by 1 of 1" in command("status", kept["id"])
    assert command("status", kept["id"], "--as", "lea", "--json")["recipients"][0]["organisation"] is None
    with pytest.raises(subprocess.CalledProcessError):
        command("withdraw", kept["id"], "--why", "a false alarm", "--as", "ana")
    with pytest.raises(subprocess.CalledProcessError):
        command("push", str(form), "--as", "lea", "--audience", "nobody-here")
    command("withdraw", kept["id"], "--why", "a false alarm", "--as", "sen")
    assert objects(served.collection("ben", "federal-advisories"), id=kept["id"])[kept["id"]]["revoked"]
    assert "withdrawn" in command("show", kept["id"])
