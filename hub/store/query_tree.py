"""The search tree, and the fields that it can be about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


class Node:
    """A node of the search tree."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Everything(Node):
    """Every object."""


@dataclass(frozen=True, slots=True)
class And(Node):
    """Objects that all parts find."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or(Node):
    """Objects that any part finds."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not(Node):
    """Objects that the part does not find."""

    part: Node


@dataclass(frozen=True, slots=True)
class Token(Node):
    """Objects with the token ``field=term`` (`hub.model.tokens`)."""

    field: str
    term: str


@dataclass(frozen=True, slots=True)
class Prefix(Node):
    """Objects with a token that begins with ``field=text``; ``eulav`` holds values from behind."""

    field: str
    text: str


@dataclass(frozen=True, slots=True)
class Under(Node):
    """Objects with an observable at or below this canonical key (`hub.model.observables.span`)."""

    key: str


Attribute = Literal["version", "date_added", "created", "valid_until", "confidence", "revoked"]


@dataclass(frozen=True, slots=True)
class Compare(Node):
    """Objects whose attribute is there and lies between two bounds, both inclusive; None is no bound.

    The attributes are those of `hub.store.ports.Draft` (flags are 0 and 1) and ``date_added``; a ``version`` of
    `UNVERSIONED` counts as not there.
    """

    attribute: Attribute
    low: int | None
    high: int | None


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the language: what it is called, how its terms are read, and in words what it finds."""

    name: str
    kind: Literal["word", "exact", "value", "time", "number", "flag"]
    help: str
    attribute: Attribute | None = None


FIELDS: dict[str, Field] = {
    field.name: field
    for field in (
        Field(
            "text", "word", "words of name, description, labels, aliases, values and external ids; the same as no field"
        ),
        Field("name", "word", "words of the name"),
        Field(
            "value",
            "value",
            "addresses, names, URLs, hashes and other values, defanged or not; networks, `*` at one end",
        ),
        Field("kind", "exact", "kind of value: `ipv4-addr`, `domain-name`, `url`, `file-sha256`, …"),
        Field("type", "exact", "STIX type: `indicator`, `malware`, `report`, …"),
        Field("id", "exact", "STIX id"),
        Field("collection", "exact", "key of the collection that carries it"),
        Field("source", "exact", "where it came from, by account: `feed:ipsum`, `user:maria`"),
        Field("label", "exact", "a label, blanks written as `_` or the whole in quotes"),
        Field("alias", "exact", "another name of it, whole"),
        Field("category", "exact", "indicator, malware, threat actor or report type: `phishing`, `ransomware`, …"),
        Field("phase", "exact", "kill chain phase: `command-and-control`, …"),
        Field("external", "exact", "id in external references: `CVE-2021-44228`, `T1566`, …"),
        Field("relationship", "exact", "kind of relationship: `uses`, `indicates`, …"),
        Field("author", "exact", "id of the identity that made it (`created_by_ref`)"),
        Field("ref", "exact", "id of an object that it refers to"),
        Field("marking", "exact", "id of a marking on it"),
        Field("pattern_type", "exact", "language of the pattern: `stix`, `sigma`, `yara`, …"),
        Field("tlp", "exact", "traffic light: `clear`, `green`, `amber`, `amber+strict`, `red`, `unknown`"),
        Field("owner", "exact", "organisation whose data it is"),
        Field("match", "exact", "`no`: a live indicator that is kept and found, but never matched (compound patterns)"),
        Field(
            "claimed",
            "exact",
            "id of the identity that it names as its maker, where its source does not speak for that one",
        ),
        Field("warning", "exact", "label of a warning list that knows a value of it"),
        Field("modified", "time", "time of this version", "version"),
        Field("added", "time", "when the hub stored it", "date_added"),
        Field("created", "time", "when it was first made", "created"),
        Field("valid_until", "time", "when an indicator ends", "valid_until"),
        Field("confidence", "number", "confidence, 0 to 100", "confidence"),
        Field("revoked", "flag", "whether it was taken back", "revoked"),
    )
}
"""Every field of the language, by name."""
