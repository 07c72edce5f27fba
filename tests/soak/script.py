"""What the writers of a soak do: lives of objects that follow from a writer's name and a number, and from nothing else.

So a writer that was killed knows what it was doing, and the checker knows what every object version should say and
who may see it without asking the hub.
"""

from __future__ import annotations

import hashlib
import json
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from hub.model.audience import TLP, Audience
from hub.model.markings import MARKING_ID
from hub.model.times import MINUTE, SECOND, format_timestamp
from tests.soak.running import PUBLISHED, SHARED

OWNER = {"leo": "water", "lia": "gas", "inside-a": "state", "inside-b": "state"}
"""The writers and the organisations that they write for; those inside write to the store, the others over HTTP."""

_STAGE = 4
"""Steps between two stages of a life; even, so that a life stays in its collection."""

_BIRTHS = 2
_BEGINNING = 1_767_225_600 * SECOND
_NAMESPACE = uuid.UUID("6b5a3c1e-2f43-4f58-9d0c-4b7f3a9f2c11")

Stage = tuple[Literal["put", "revoke"], TLP] | tuple[Literal["delete"], int | None]
"""A version with its marking, or a removal of one version (its number) or of all."""

LIVES: tuple[tuple[Stage, ...], ...] = (
    (("put", TLP.CLEAR),),
    (("put", TLP.GREEN), ("put", TLP.GREEN), ("put", TLP.GREEN)),
    (("put", TLP.AMBER), ("put", TLP.AMBER)),
    (("put", TLP.RED),),
    (("put", TLP.GREEN), ("put", TLP.AMBER), ("put", TLP.RED)),
    (("put", TLP.RED), ("put", TLP.AMBER_STRICT), ("put", TLP.GREEN)),
    (("put", TLP.GREEN), ("put", TLP.RED), ("put", TLP.GREEN)),
    (("put", TLP.GREEN), ("revoke", TLP.GREEN)),
    (("put", TLP.AMBER), ("revoke", TLP.AMBER)),
    (("put", TLP.GREEN), ("delete", None)),
    (("put", TLP.AMBER), ("put", TLP.GREEN), ("delete", None)),
    (("put", TLP.GREEN), ("put", TLP.GREEN), ("delete", 0)),
)


@dataclass(frozen=True)
class Put:
    """An object version, who may see it, and what it says."""

    collection: str
    obj: dict[str, Any]
    audience: Audience

    @property
    def key(self) -> tuple[str, str, str]:
        return self.collection, self.obj["id"], self.obj["modified"]


@dataclass(frozen=True)
class Delete:
    """A removal: of one version (its text), or of all."""

    collection: str
    id: str
    version: str | None


@dataclass(frozen=True)
class Step:
    """What a writer does at once; all in one collection."""

    collection: str
    puts: tuple[Put, ...]
    deletes: tuple[Delete, ...]


def step(writer: str, number: int) -> Step:
    """Return a writer's step, counted from 1: new lives, and the next stage of those that began before."""
    collection = SHARED if number % 2 else PUBLISHED
    puts: list[Put] = []
    deletes: list[Delete] = []
    for stage in range(max(map(len, LIVES))):
        born = number - stage * _STAGE
        for place in range(_BIRTHS) if born >= 1 else ():
            life = LIVES[_chance(writer, born, place) % len(LIVES)]
            if stage >= len(life):
                continue
            kind, what = life[stage]
            id = f"indicator--{uuid.uuid5(_NAMESPACE, f'{writer} {born} {place}')}"
            if kind != "delete":
                obj = _version(writer, born, place, stage, TLP(what or 0), revoked=kind == "revoke")
                puts.append(Put(collection, obj, Audience(OWNER[writer], TLP(what or 0))))
            elif collection == SHARED or what is None:
                deletes.append(Delete(collection, id, None if what is None else _modified(born, place, what)))
    return Step(collection, tuple(puts), tuple(deletes))


def steps(writer: str, last: int) -> Iterator[Step]:
    """Yield the steps of a writer up to a number."""
    return (step(writer, number) for number in range(1, last + 1))


def digest(obj: dict[str, Any]) -> str:
    """Return what tells contents apart, however they are spelled."""
    return sys.intern(hashlib.sha256(json.dumps(obj, sort_keys=True).encode()).hexdigest())


def _chance(*of: object) -> int:
    return int.from_bytes(hashlib.sha256(repr(of).encode()).digest()[:4])


def _modified(born: int, place: int, stage: int) -> str:
    # Versions lie apart: the hub's own revoked one is a millisecond after what it revokes.
    return format_timestamp(_BEGINNING + born * MINUTE + place * SECOND + stage * SECOND // 10, 3)


def _version(writer: str, born: int, place: int, stage: int, tlp: TLP, *, revoked: bool) -> dict[str, Any]:
    pattern = hashlib.sha256(f"{writer} {born} {place}".encode()).hexdigest()
    obj = {
        "type": "indicator",
        "spec_version": "2.1",
        "id": f"indicator--{uuid.uuid5(_NAMESPACE, f'{writer} {born} {place}')}",
        "created": _modified(born, place, 0),
        "modified": _modified(born, place, stage),
        "name": f"{writer}, life {born}.{place}, stage {stage}",
        "pattern": f"[file:hashes.'SHA-256' = '{pattern}']",
        "pattern_type": "stix",
        "valid_from": "2026-01-01T00:00:00Z",
        "object_marking_refs": [MARKING_ID[tlp]],
    }
    return {**obj, "revoked": True} if revoked else obj
