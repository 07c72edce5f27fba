"""What markings restrict."""

import pytest
import stix2

from hub.model.audience import PAP, TLP
from hub.model.markings import (
    MARKING_ID,
    PAP_EXTENSION,
    TLP2_OBJECTS,
    TLP_EXTENSION,
    TLP_IDS,
    definition_level,
    markings_of,
)

ACS = "extension-definition--3a65884d-005a-4290-8335-cb2d778a83ce"


def marking(**properties):
    return {
        "type": "marking-definition",
        "id": "marking-definition--4a4a4a4a-4a4a-4a4a-8a4a-4a4a4a4a4a4a",
        **properties,
    }


def opencti(kind, level):
    """Return a marking as OpenCTI's connectors send those that STIX 2.1 has no name for."""
    said = {"x_opencti_definition_type": kind, "x_opencti_definition": level}
    return marking(definition_type="statement", definition={"statement": "custom"}, **said)


@pytest.mark.parametrize(
    ("obj", "level"),
    [
        (stix2.v21.TLP_WHITE, (TLP.CLEAR, None)),
        (stix2.v21.TLP_GREEN, (TLP.GREEN, None)),
        (stix2.v21.TLP_AMBER, (TLP.AMBER, None)),
        (stix2.v21.TLP_RED, (TLP.RED, None)),
        ({"id": "marking-definition--826578e1-40ad-459f-bc73-ede076f81f37"}, (TLP.AMBER_STRICT, None)),
        (marking(definition_type="tlp", definition={"tlp": "amber"}), (TLP.AMBER, None)),
        (marking(definition_type="tlp", definition={"tlp": "mauve"}), (TLP.UNKNOWN, None)),
        (marking(definition_type="tlp"), (TLP.UNKNOWN, None)),
        (marking(definition_type="statement", definition={"statement": "(c) X"}), (None, None)),
        (marking(definition_type="iep", definition={}), (TLP.UNKNOWN, None)),
        (marking(definition_type="PAP", definition={"pap": "red"}), (None, PAP.RED)),
        (marking(extensions={TLP_EXTENSION: {"tlp_2_0": "amber+strict"}}), (TLP.AMBER_STRICT, None)),
        (marking(extensions={TLP_EXTENSION: {"tlp_2_0": 7}}), (TLP.UNKNOWN, None)),
        (marking(extensions={PAP_EXTENSION: {"pap": "white"}}), (None, PAP.CLEAR)),
        (marking(extensions={PAP_EXTENSION: {"pap": "amber"}}), (None, PAP.AMBER)),
        (marking(extensions={PAP_EXTENSION: {"pap": "?"}}), (TLP.UNKNOWN, None)),
        (marking(extensions={ACS: {}}), (TLP.UNKNOWN, None)),
        (marking(extensions={TLP_EXTENSION: {"tlp_2_0": "clear"}, ACS: {}}), (TLP.UNKNOWN, None)),
        (
            marking(definition_type="tlp", definition={"tlp": "red"}, extensions={PAP_EXTENSION: {"pap": "green"}}),
            (TLP.RED, PAP.GREEN),
        ),
        (opencti("TLP", "TLP:AMBER+STRICT"), (TLP.AMBER_STRICT, None)),
        (opencti("PAP", "PAP:RED"), (None, PAP.RED)),
        (opencti("Distribution", "nobody"), (TLP.UNKNOWN, None)),
        (opencti("TLP", None), (TLP.UNKNOWN, None)),
        (opencti("statement", "(c) X"), (None, None)),
        (marking(name="TLP:AMBER+STRICT"), (TLP.AMBER_STRICT, None)),
        (marking(name="PAP:RED"), (None, PAP.RED)),
        (marking(name="Secret"), (TLP.UNKNOWN, None)),
        (marking(), (TLP.UNKNOWN, None)),
        ({"id": "marking-definition--740d36e5-7714-4c30-961a-3ae632ceee0e"}, (None, PAP.RED)),
    ],
)
def test_levels(obj, level):
    assert definition_level(obj) == level


def test_a_copy_under_a_known_id_cannot_loosen_it():
    copy = {"id": MARKING_ID[TLP.RED], "definition_type": "tlp", "definition": {"tlp": "white"}, "name": "TLP:CLEAR"}
    assert definition_level(copy) == (TLP.RED, None)


@pytest.mark.parametrize("level", MARKING_ID)
def test_the_hubs_own_objects(level):
    obj = TLP2_OBJECTS[level]
    stix2.parse(obj, version="2.1", allow_custom=True)
    assert TLP_IDS[obj["id"]] == level
    assert definition_level({**obj, "id": marking()["id"]}) == (level, None)


def test_markings_of_an_object_and_its_parts():
    obj = {
        "object_marking_refs": ["marking-definition--a", 3],
        "granular_markings": [{"marking_ref": "marking-definition--b", "selectors": ["name"]}, {"lang": "de"}, None],
    }
    assert markings_of(obj) == {"marking-definition--a", "marking-definition--b"}
    assert markings_of({"object_marking_refs": "x"}) == frozenset()


@pytest.mark.parametrize(
    ("control_set", "level"),
    [
        ({"classification": "U", "formal_determination": ["PUBREL"]}, None),
        ({"classification": "U", "formal_determination": ["FOUO"]}, TLP.UNKNOWN),
        ({"classification": "S", "formal_determination": ["PUBREL"]}, TLP.UNKNOWN),
        ("PUBREL", TLP.UNKNOWN),
        (None, TLP.UNKNOWN),
    ],
)
def test_only_a_public_release_frees_a_federal_access_marking(control_set, level) -> None:
    definition = {
        "type": "marking-definition",
        "extensions": {"extension-definition--3a65884d-005a-4290-8335-cb2d778a83ce": {"control_set": control_set}},
    }
    assert definition_level(definition) == (level, None)
