"""The official STIX 2.1 JSON schemas, compiled once for each type; a fault is a sentence with its place."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import jsonschema_rs

from hub.errors import Refused
from hub.model.ids import is_id
from hub.model.stix import STIX_TYPES

_FOLDER = Path(__file__).parent / "schemas"
_CORE = "common/core"
_OBSERVABLE_CORE = "common/cyber-observable-core"
_LONGEST = 300


def check_identity(obj: dict[str, Any]) -> None:
    """Check that an object of any specification version has a type, and an id of that type.

    Raises:
        Refused: ``schema``.
    """
    kind, id = obj.get("type"), obj.get("id")
    if not isinstance(kind, str):
        raise Refused("schema", "a STIX object has a type", place="/type")
    if not isinstance(id, str) or not is_id(id) or not id.startswith(f"{kind}--"):
        raise Refused("schema", f"the id of this object must be {kind[:60]}-- followed by a UUID", place="/id")


def check_schema(obj: dict[str, Any]) -> None:
    """Check a STIX 2.1 object that has passed `check_identity` against the schema of its type.

    A custom type is checked for the properties that all objects have in common.

    Raises:
        Refused: ``schema``; the place is a JSON pointer.
    """
    kind = obj["type"]
    if obj.get("spec_version", "2.1") != "2.1":
        raise Refused("schema", "spec_version must be 2.1", place="/spec_version")
    validator = _validator(kind if kind in STIX_TYPES else _CORE if "created" in obj else _OBSERVABLE_CORE)
    if validator.is_valid(obj):
        return
    for fault in validator.iter_errors(obj):
        place = "".join(f"/{part}" for part in fault.instance_path)
        raise Refused("schema", _sentence(fault, place, kind), place=place or "/")


@functools.cache
def _validator(kind: str) -> Any:
    path = next(_FOLDER.rglob(f"{kind}.json"))
    return jsonschema_rs.validator_for(_document(path), registry=_registry())


@functools.cache
def _registry() -> Any:
    documents = (_document(path) for path in sorted(_FOLDER.rglob("*.json")))
    return jsonschema_rs.Registry([(document["$id"], document) for document in documents])


def _document(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text())
    if path == _FOLDER / f"{_CORE}.json":
        # The schema asks for milliseconds in the text of created and modified. Real partners write whole seconds, which
        # are the same moment, and the stix2 library takes them.
        for name in ("created", "modified"):
            document["properties"][name]["allOf"] = document["properties"][name]["allOf"][:1]
    elif path == _FOLDER / f"{_OBSERVABLE_CORE}.json":
        del document["not"]  # forbids names such as username, which custom observables of OpenCTI have
    return document


def _sentence(fault: Any, place: str, kind: str) -> str:
    message = str(fault.message)
    if len(message) > _LONGEST:
        message = f"{message[: _LONGEST - 1]}…"
    return f"{kind}{place.replace('/', '.')}: {message}"
