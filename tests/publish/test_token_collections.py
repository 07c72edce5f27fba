"""A token never widens its account, whatever it says; a property over accounts, declarations and tokens."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.access.principal import ROLES, Principal
from hub.app import Hub
from hub.errors import NotAllowed
from hub.model.audience import Reader
from hub.publish.collections import Collection, Collections
from hub.publish.desk import Desk
from tests.publish.parts import post, report, work

SHIPPED = Collections.load([Path(__file__).parents[2] / "feeds" / "collections"])
KEYS = [one.key for one in SHIPPED]
ORGANISATIONS, GROUPS = ["city", "water", "bank"], ["utilities", "grid"]

grants = st.lists(
    st.sampled_from(
        ["everyone"]
        + [f"role:{role}" for role in ROLES]
        + [f"organisation:{one}" for one in ORGANISATIONS]
        + [f"group:{one}" for one in GROUPS]
    ),
    max_size=3,
).map(tuple)
declared = st.builds(
    lambda base, read, write, advertise: base.model_copy(
        update={"read": read, "write": write, "advertise": advertise, "publish_to": (), "advisories_to": ""}
    ),
    st.sampled_from(list(SHIPPED)),
    grants,
    grants,
    grants,
)
accounts = st.builds(
    lambda organisation, role, groups: Principal("who", organisation, role, Reader(organisation, frozenset(groups))),
    st.sampled_from(ORGANISATIONS),
    st.sampled_from(ROLES),
    st.sets(st.sampled_from(GROUPS)),
)
narrower = st.fixed_dictionaries(
    {
        "rights": st.sampled_from([frozenset({"read"}), frozenset({"write"}), frozenset({"read", "write"})]),
        "collections": st.none() | st.frozensets(st.sampled_from([*KEYS, "no-such"]), max_size=4),
    }
)


@given(
    found=st.lists(declared, unique_by=lambda one: one.key, min_size=1),
    account=accounts,
    token=narrower,
)
def test_a_token_takes_away_and_never_adds(
    found: list[Collection], account: Principal, token: dict[str, object]
) -> None:
    collections, narrow = Collections(found), replace(account, **token)  # type: ignore[arg-type]
    named = frozenset(KEYS) if narrow.collections is None else narrow.collections
    readable, writable = collections.readable(narrow), collections.writable(narrow)
    known = {one.key for one in collections.visible(narrow)}
    assert readable == (collections.readable(account) & named if "read" in narrow.rights else frozenset())
    assert writable == (collections.writable(account) & named if "write" in narrow.rights else frozenset())
    assert known == {one.key for one in collections.visible(account)} & named
    assert readable | writable <= known
    assert collections.scope(narrow).collections == readable
    for one in found:
        for use in ("know", "read", "write"):
            if not collections.decide(narrow, one, use).allowed:
                assert collections.decide(narrow, one, use).reason


def test_what_belongs_to_no_collection_needs_a_whole_sign_in(hub: Hub) -> None:
    own = report()
    hub.accounts.add_user("lou", "city", "liaison")
    post(hub, "lou", own)
    work(hub)
    desk = Desk(hub.publication, hub.accounts)
    for token in ({"rights": frozenset({"read"})}, {"collections": frozenset({"inbox", "federal-advisories"})}):
        for user in ("ana", "sen"):
            narrow = replace(hub.principal(user), token="id", **token)  # type: ignore[arg-type]
            with pytest.raises(NotAllowed, match="the token id is for a part"):
                desk.publish(narrow, own["id"], "", ())
        with pytest.raises(NotAllowed):
            desk.consent(replace(hub.principal("ben"), **token), given=True)  # type: ignore[arg-type]
    desk.publish(hub.principal("ana"), own["id"], "", ())


def test_a_token_for_another_collection_sees_no_advisory(hub: Hub) -> None:
    advisory = report()
    post(hub, "lea", advisory)
    work(hub)
    desk, ben = Desk(hub.publication, hub.accounts), hub.principal("ben")
    for collections, seen in ((None, 1), ({"federal-advisories"}, 1), ({"sightings"}, 0), (set(), 0)):
        narrow = replace(ben, collections=None if collections is None else frozenset(collections))
        assert len(desk.page(narrow, state=None, after="", limit=10)[0]) == seen
