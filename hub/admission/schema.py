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
_LONGEST = 300


def check_schema(obj: dict[str, Any]) -> None:
    """Check a STIX 2.1 object against the schema of its type; a custom type against the common properties.

    Raises:
        Refused: ``schema``; the place is a JSON pointer.
    """
    kind = obj.get("type")
    if not isinstance(kind, str):
        raise Refused("schema", "a STIX object has a type", place="/type")
    id = obj.get("id")
    if not isinstance(id, str) or not is_id(id) or not id.startswith(f"{kind}--"):
        raise Refused("schema", f"the id of this object must be {kind[:60]}-- followed by a UUID", place="/id")
    if kind in STIX_TYPES:
        validator = _validator(kind)
    elif "created" in obj:
        validator = _validator(_CORE)
    else:
        return  # a custom observable has no property but type and id that a schema could know
    if validator.is_valid(obj):
        return
    for fault in validator.iter_errors(obj):
        place = "".join(f"/{part}" for part in fault.instance_path)
        raise Refused("schema", _sentence(fault, place, kind), place=place or "/")


@functools.cache
def _validator(kind: str) -> Any:
    path = next((path for path in _FOLDER.rglob(f"{Path(kind).name}.json") if path.name != "bundle.json"), None)
    if path is None:
        path = _FOLDER / f"{_CORE}.json"
    return jsonschema_rs.validator_for(json.loads(path.read_text()), registry=_registry())


@functools.cache
def _registry() -> Any:
    documents = (json.loads(path.read_text()) for path in sorted(_FOLDER.rglob("*.json")))
    return jsonschema_rs.Registry([(document["$id"], document) for document in documents])


def _sentence(fault: Any, place: str, kind: str) -> str:
    message = str(fault.message)
    if len(message) > _LONGEST:
        message = f"{message[: _LONGEST - 1]}…"
    return f"{kind}{place.replace('/', '.')}: {message}"
