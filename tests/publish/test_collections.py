"""Declared collections: who reads, writes and knows of which, and what a wrong declaration says."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from hub.access.principal import Principal, Role
from hub.errors import BadSettings
from hub.model.audience import TLP, Reader
from hub.publish.collections import Collections

SHIPPED = Path(__file__).parents[2] / "feeds" / "collections"
GOOD = 'key = "mine"\nid = "0c2b7a0e-2c3f-4a53-9d53-7c1c1d0f5a11"\ntitle = "Mine"\nread = ["group:utilities"]\n'


def account(role: Role, organisation: str = "water", *groups: str) -> Principal:
    return Principal(f"a-{role}", organisation, role, Reader(organisation, frozenset(groups)))


def test_a_liaison_has_a_collection_of_each_kind() -> None:
    collections, liaison = Collections.load([SHIPPED]), account("liaison")
    kinds = {
        one.key: (collections.may_read(liaison, one), collections.may_write(liaison, one))
        for one in collections.visible(liaison)
    }
    assert kinds["inbox"] == (True, True)
    assert kinds["drop-box"] == (False, True)
    assert kinds["city-indicators"] == (True, False)
    assert kinds["city-sector-water"] == (False, False)
    assert "evidence" not in kinds


def test_partners_read_five_collections_and_write_none() -> None:
    collections, partner = Collections.load([SHIPPED]), account("partner")
    assert collections.readable(partner) == {
        "city-indicators",
        "partner-indicators",
        "federal-advisories",
        "sightings",
        "vulnerabilities",
    }
    assert collections.writable(partner) == frozenset()
    assert collections.scope(partner).collections == collections.readable(partner)


def test_evidence_is_for_analysts_and_never_served() -> None:
    collections = Collections.load([SHIPPED])
    evidence = collections["evidence"]
    assert collections.may_read(account("analyst", "city"), evidence)
    assert collections.at("hub", evidence.id) is None
    assert collections.at("hub", "evidence") is None


def test_ids_are_version_4_and_sorted_and_aliases_work() -> None:
    collections = Collections.load([SHIPPED])
    ids = [one.id for one in collections]
    assert ids == sorted(ids)
    assert {uuid.UUID(one).version for one in ids} == {4}
    inbox = collections["inbox"]
    assert collections.at("hub", "inbox") is collections.at("hub", inbox.id) is inbox
    assert collections.at("other", "inbox") is None


def test_a_token_without_the_right_to_write_narrows_its_account() -> None:
    collections = Collections.load([SHIPPED])
    narrow = Principal("a", "water", "liaison", Reader("water"), rights=frozenset({"read"}))
    assert collections.writable(narrow) == frozenset()
    assert "inbox" in collections.readable(narrow)


def test_the_citys_folder_replaces_by_file_name(tmp_path: Path) -> None:
    inbox = (SHIPPED / "inbox.toml").read_text().replace("AMBER", "RED")
    (tmp_path / "inbox.toml").write_text(inbox)
    (tmp_path / "mine.toml").write_text(GOOD)
    collections = Collections.load([SHIPPED, tmp_path])
    assert collections["inbox"].marking is TLP.RED
    assert collections.readable(account("partner", "gas", "utilities")) >= {"mine"}
    assert "mine" not in collections.readable(account("partner", "gas"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("title", "titel"), "titel"),
        (('"group:utilities"', '"everybody"'), "read"),
        (("-4a53-", "-1a53-"), "id"),
        (('"mine"', '"other"'), "file name"),
        (("read = [", "read = "), "not TOML"),
        (('title = "Mine"', 'title = "Mine"\nmarking = "PURPLE"'), "marking"),
        (('title = "Mine"', 'title = "Mine"\npublish_to = ["nowhere"]'), "nowhere"),
    ],
)
def test_a_wrong_declaration_is_named(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    (tmp_path / "mine.toml").write_text(GOOD.replace(*change))
    with pytest.raises(BadSettings, match=said):
        Collections.load([tmp_path])


def test_the_same_id_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(GOOD)
    (tmp_path / "yours.toml").write_text(GOOD.replace("mine", "yours"))
    with pytest.raises(BadSettings, match="same key, id or alias"):
        Collections.load([tmp_path])
