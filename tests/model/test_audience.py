"""Who may see what: properties of the one decision."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hub.model.audience import PAP, TLP, Audience, Reader, may

# No name is ever an organisation's and a group's (`hub.access.names`).
ORGANISATIONS = ("city", "water", "power", "bank")
GROUPS = ("utilities", "banks")
audiences = st.builds(
    Audience,
    st.sampled_from(ORGANISATIONS),
    st.sampled_from(TLP),
    st.sampled_from(PAP),
    st.sets(st.sampled_from((*ORGANISATIONS, *GROUPS)), max_size=3).map(lambda names: tuple(sorted(names))),
)
readers = st.builds(
    lambda name, groups, analyst: Reader(name, groups, home=name == "city", analyst=analyst and name == "city"),
    st.sampled_from((*ORGANISATIONS, "")),
    st.frozensets(st.sampled_from(GROUPS), max_size=2),
    st.booleans(),
)


@given(audiences)
def test_a_label_is_read_back(audience: Audience) -> None:
    assert Audience.from_label(audience.label) == audience


@given(readers, audiences, audiences)
def test_who_sees_what_is_narrowed_may_see_both(reader: Reader, one: Audience, other: Audience) -> None:
    narrowed = one.narrowed(other)
    assert narrowed.owner == one.owner
    if may(reader, narrowed).allowed:
        assert may(reader, one).allowed
        assert may(reader, other).allowed or reader.organisation == one.owner
    if may(reader, narrowed, "block").allowed:
        assert may(reader, one, "block").allowed


@given(readers, audiences)
def test_to_block_one_must_be_able_to_read(reader: Reader, audience: Audience) -> None:
    assert may(reader, audience, "block").allowed <= may(reader, audience).allowed


@given(readers, audiences, st.sampled_from(TLP), st.sampled_from(PAP), st.sampled_from(("read", "block")))
def test_a_stricter_level_never_shows_more(
    reader: Reader, audience: Audience, tlp: TLP, pap: PAP, purpose: str
) -> None:
    stricter = Audience(audience.owner, max(tlp, audience.tlp), max(pap, audience.pap), audience.groups)
    assert may(reader, stricter, purpose).allowed <= may(reader, audience, purpose).allowed  # type: ignore[arg-type]


@given(readers, audiences)
def test_every_decision_has_a_reason(reader: Reader, audience: Audience) -> None:
    assert may(reader, audience).reason
