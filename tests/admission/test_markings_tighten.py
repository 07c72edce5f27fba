"""Adding a marking never widens who may see an object, whatever the markings are and wherever they stand."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.model.audience import TLP, Reader, may
from hub.model.markings import ACS_EXTENSION, PAP_EXTENSION, PAP_IDS, STATEMENT_IDS, TLP_EXTENSION, TLP_IDS
from tests.admission.parts import OTHER, PARTNER, Parts, indicator, item
from tests.stores import examples

WORDS = ("clear", "white", "green", "amber", "amber+strict", "red", "mauve", 7)
RELEASED = {"control_set": {"classification": "U", "formal_determination": ["PUBREL"]}}
READERS = [
    Reader("city", home=True, analyst=True),
    Reader("city", home=True),
    Reader("water", frozenset({"utilities"})),
    *(Reader(name) for name in ("partner", "other", "bank", "")),
]


def definition(number: int, **said: Any) -> dict[str, Any]:
    return {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": f"marking-definition--{uuid.UUID(int=number, version=4)}",
        "created": "2026-01-02T03:04:05.678Z",
        **said,
    }


def extended(**extensions: Any) -> dict[str, Any]:
    return {"extensions": {id: {"extension_type": "property-extension", **said} for id, said in extensions.items()}}


def kinds() -> Iterator[dict[str, Any]]:
    """Yield what a definition may say."""
    for word in WORDS:
        yield {"definition_type": "tlp", "definition": {"tlp": word}}
        yield {"definition_type": "pap", "definition": {"pap": word}}
        yield {"name": f"TLP:{word}"}
        yield {"name": f"PAP:{word}"}
        yield extended(**{TLP_EXTENSION: {"tlp_2_0": word}})
        yield extended(**{PAP_EXTENSION: {"pap": word}})
        yield extended(**{TLP_EXTENSION: {"tlp_2_0": word}, PAP_EXTENSION: {"pap": "amber"}})
        said = {"x_opencti_definition_type": "TLP", "x_opencti_definition": f"TLP:{word}"}
        yield {"definition_type": "statement", "definition": {"statement": "custom"}, **said}
    yield {"definition_type": "statement", "definition": {"statement": "(c)"}}
    yield extended(**{ACS_EXTENSION: RELEASED})
    yield extended(**{ACS_EXTENSION: {}})
    yield {"definition_type": "iep", "definition": {}}


@pytest.fixture(scope="module")
def pool() -> list[dict[str, Any]]:
    return [definition(number, **said) for number, said in enumerate(kinds(), 1)]


ALL = [definition(number, **said)["id"] for number, said in enumerate(kinds(), 1)]
NOBODYS = [f"marking-definition--{uuid.UUID(int=number, version=4)}" for number in (1001, 1002)]
markings = st.sampled_from([*TLP_IDS, *PAP_IDS, *STATEMENT_IDS, *ALL, *NOBODYS])
placed = st.tuples(markings, st.booleans())


def marked(parts: list[tuple[str, bool]]) -> dict[str, Any]:
    """Return an object with markings, each on the whole or on a part of it."""
    whole = sorted({id for id, granular in parts if not granular})
    granules = [{"marking_ref": id, "selectors": ["name"]} for id, granular in parts if granular]
    return indicator(object_marking_refs=whole or None, granular_markings=granules or None)


@settings(max_examples=examples(200), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(placed, max_size=3), placed, st.sampled_from(TLP), st.sampled_from(("partner", "other", "nobody")))
def test_adding_a_marking_never_widens(
    parts: Parts,
    pool: list[dict[str, Any]],
    there: list[tuple[str, bool]],
    more: tuple[str, bool],
    default: TLP,
    by: str,
) -> None:
    """With definitions of the sender's, of another member's, and with none."""
    if by != "nobody":
        parts.admit([item(one) for one in pool], PARTNER if by == "partner" else OTHER)
    origin = replace(PARTNER, groups=("utilities",), marking=default)
    before, after = (
        parts.gate.audience(json.loads(json.dumps(marked(one))), origin) for one in (there, [*there, more])
    )
    unmarked = replace(origin, marking=TLP.CLEAR)
    named = parts.gate.audience(marked(there), unmarked) != parts.gate.audience(
        marked(there), replace(origin, marking=TLP.RED)
    )
    if named:
        return  # no traffic light was on it: the source's default counted, and its own word replaces that
    for reader in READERS:
        for purpose in ("read", "block"):
            assert may(reader, after, purpose).allowed <= may(reader, before, purpose).allowed


@pytest.mark.parametrize("id", [*TLP_IDS, *NOBODYS])
def test_a_part_is_as_strict_as_the_whole(parts: Parts, id: str) -> None:
    """An object is shown whole or not at all, so it is as strict as its strictest part."""
    granular, whole = (parts.gate.audience(marked([(id, part)]), PARTNER) for part in (True, False))
    assert granular == whole
