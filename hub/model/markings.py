"""Markings: what a marking-definition restricts, in traffic light (TLP) and permissible action (PAP) levels.

Ids: FIRST TLP 2.0 and CISA PAP extensions from the OASIS common object repository, TLP 1 from STIX 2.1 section 7.2.1.4,
and OpenCTI's own AMBER+STRICT.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.model.audience import PAP, TLP

TLP_EXTENSION = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"
ACS_EXTENSION = "extension-definition--3a65884d-005a-4290-8335-cb2d778a83ce"
PAP_EXTENSION = "extension-definition--f8d78575-edfd-406e-8e84-6162a8450f5b"

MARKING_ID: dict[TLP, str] = {
    TLP.CLEAR: "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
    TLP.GREEN: "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    TLP.AMBER: "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    TLP.AMBER_STRICT: "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
    TLP.RED: "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
}
"""TLP 2.0 ids, for what the hub writes itself."""

TLP1_IDS: dict[str, TLP] = {
    "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9": TLP.CLEAR,
    "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da": TLP.GREEN,
    "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82": TLP.AMBER,
    "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed": TLP.RED,
}

TLP_IDS: dict[str, TLP] = {
    **{marking: level for level, marking in MARKING_ID.items()},
    **TLP1_IDS,
    "marking-definition--826578e1-40ad-459f-bc73-ede076f81f37": TLP.AMBER_STRICT,
}
"""Every id that is known to mean a traffic light. TLP 1 AMBER allowed clients, as AMBER of TLP 2.0 does."""

PAP_IDS: dict[str, PAP] = {
    "marking-definition--ad15a0cd-55b6-4588-a14c-a66105329b92": PAP.CLEAR,
    "marking-definition--a3bea94c-b469-41dc-9cfe-d6e7daba7730": PAP.CLEAR,
    "marking-definition--c43594d1-4b11-4c59-93ab-1c9b14d53ce9": PAP.GREEN,
    "marking-definition--60f8932b-e51e-4458-b265-a2e8be9a80ab": PAP.AMBER,
    "marking-definition--740d36e5-7714-4c30-961a-3ae632ceee0e": PAP.RED,
}
"""Ids of the PAP markings; WHITE is the older word for CLEAR."""

STATEMENT_IDS = frozenset({"marking-definition--fa42a846-8d90-4e51-bc29-71d5b4802168"})
"""Statements that restrict nothing and are often referred to without being sent along: MITRE ATT&CK's copyright."""

_TLP_WORDS = {
    "clear": TLP.CLEAR,
    "white": TLP.CLEAR,
    "green": TLP.GREEN,
    "amber": TLP.AMBER,
    "amber+strict": TLP.AMBER_STRICT,
    "red": TLP.RED,
}
_PAP_WORDS = {"clear": PAP.CLEAR, "white": PAP.CLEAR, "green": PAP.GREEN, "amber": PAP.AMBER, "red": PAP.RED}

TLP2_OBJECTS: dict[TLP, dict[str, Any]] = {
    level: {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": marking,
        "created": "2022-10-01T00:00:00.000Z",
        "name": f"TLP:{level.name.replace('_', '+')}",
        "extensions": {
            TLP_EXTENSION: {"extension_type": "property-extension", "tlp_2_0": level.name.lower().replace("_", "+")}
        },
    }
    for level, marking in MARKING_ID.items()
}
"""The TLP 2.0 marking-definition objects."""


def definition_level(obj: Mapping[str, Any]) -> tuple[TLP | None, PAP | None]:
    """Return what a marking-definition restricts; None where it says nothing of that kind.

    A known id decides whatever the copy says. A statement restricts nothing. What the hub does not understand
    (another extension such as ACS or IEP, another definition type, a wrong level) is ``TLP.UNKNOWN``, the tightest.
    """
    marking = obj.get("id")
    if marking in TLP_IDS:
        return TLP_IDS[marking], None
    if marking in PAP_IDS:
        return None, PAP_IDS[marking]
    extensions, definition, word = obj.get("extensions"), obj.get("definition"), obj.get("definition_type")
    tlp, pap = _extension_level(extensions) if isinstance(extensions, Mapping) else (None, None)
    if isinstance(word, str) and word.lower() in {"tlp", "pap"}:
        found = definition.get(word.lower()) if isinstance(definition, Mapping) else None
        worded, acted = _worded_level(word.lower(), found)
        return _stricter(tlp, worded), acted if acted is not None else pap
    if extensions or word == "statement":
        said, acted = _opencti_level(obj)
        return _stricter(tlp, said), acted if pap is None else pap
    kind, _, level = str(obj.get("name", "")).partition(":")
    return _worded_level(kind.strip().lower(), level) if word is None else (TLP.UNKNOWN, None)


def _extension_level(extensions: Mapping[str, Any]) -> tuple[TLP | None, PAP | None]:
    tlp: TLP | None = None
    pap: PAP | None = None
    for definition, extension in extensions.items():
        found = extension if isinstance(extension, Mapping) else {}
        if definition == TLP_EXTENSION:
            tlp = _stricter(tlp, _worded_level("tlp", found.get("tlp_2_0"))[0])
        elif definition == PAP_EXTENSION:
            unknown, pap = _worded_level("pap", found.get("pap"))
            tlp = _stricter(tlp, unknown)
        elif definition != ACS_EXTENSION or not _released(found):
            tlp = TLP.UNKNOWN
    return tlp, pap


def _opencti_level(obj: Mapping[str, Any]) -> tuple[TLP | None, PAP | None]:
    """Read what OpenCTI and its connectors write beside a statement that says nothing: any kind of marking."""
    kind, level = obj.get("x_opencti_definition_type"), obj.get("x_opencti_definition")
    if kind is None or str(kind).lower() == "statement":
        return None, None
    word = str(kind).lower()
    return _worded_level(word, str(level).lower().removeprefix(f"{word}:"))


def _released(acs: Mapping[str, Any]) -> bool:
    """Say whether a federal access marking (ISA ACS 3.0) states an unclassified, formally approved public release.

    It then restricts nothing; every other ACS marking is for people to read and counts as unknown.
    """
    control = acs.get("control_set")
    if not isinstance(control, Mapping):
        return False
    return control.get("classification") == "U" and "PUBREL" in _list(control.get("formal_determination"))


def _stricter(one: TLP | None, other: TLP | None) -> TLP | None:
    known = [level for level in (one, other) if level is not None]
    return max(known, default=None)


def _worded_level(kind: str, level: object) -> tuple[TLP | None, PAP | None]:
    word = level.strip().lower().replace("_", "+").replace("-", "+") if isinstance(level, str) else ""
    if kind == "tlp" and word in _TLP_WORDS:
        return _TLP_WORDS[word], None
    if kind == "pap" and word in _PAP_WORDS:
        return None, _PAP_WORDS[word]
    return TLP.UNKNOWN, None


def markings_of(obj: Mapping[str, Any]) -> frozenset[str]:
    """Return the ids of every marking on an object or on a part of it (granular markings)."""
    found = {marking for marking in _list(obj.get("object_marking_refs")) if isinstance(marking, str)}
    for granular in _list(obj.get("granular_markings")):
        if isinstance(granular, Mapping) and isinstance(granular.get("marking_ref"), str):
            found.add(granular["marking_ref"])
    return frozenset(found)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
