"""Cut a STIX document into its objects without touching their bytes.

`msgspec.Raw` marks where each object begins and ends; none is parsed here, so one bad object costs its neighbours
nothing. Depth and size are bounded before anything is built.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from hub.errors import NotThatFormat, Refused
from hub.model.items import StixItem


class _Document(msgspec.Struct):
    objects: list[msgspec.Raw] | None = None
    spec_version: Any = None
    type: Any = None


class _Envelope(msgspec.Struct):
    objects: list[msgspec.Raw] = []


_DOCUMENT = msgspec.json.Decoder(_Document)
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_ENVELOPE = msgspec.json.Decoder(_Envelope)


def cut_document(body: bytes, name: str) -> Iterator[StixItem]:
    """Yield the objects of a bundle, a TAXII envelope, an array, or the one object that the body is.

    Raises:
        NotThatFormat: it is none of these.
    """
    stix20 = False
    try:
        if body.lstrip()[:1] == b"[":
            objects = _ARRAY.decode(body)
        else:
            document = _DOCUMENT.decode(body)
            if document.objects is not None:
                objects = document.objects
                stix20 = document.spec_version == "2.0"
            elif document.type is None:
                raise NotThatFormat(f"{name} is JSON but neither a STIX object, a bundle nor an array of objects")
            else:
                objects = [] if document.type == "bundle" else [msgspec.Raw(body.strip())]
    except RecursionError:
        raise NotThatFormat(f"{name} is nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise NotThatFormat(f"{name} is not JSON or breaks off: {fault}") from None
    for number, raw in enumerate(objects, 1):
        yield StixItem(bytes(raw), f"{name} object {number}", stix20)


def cut_envelope(body: bytes) -> Iterator[StixItem]:
    """Yield the objects of a TAXII 2.1 envelope (section 3.7); properties it does not define are ignored.

    Raises:
        Refused: the body is not JSON (``bad-json``) or not an envelope (``not-an-envelope``).
    """
    try:
        envelope = _ENVELOPE.decode(body)
    except RecursionError:
        raise Refused("too-deep", "the body is nested too deeply") from None
    except msgspec.ValidationError:
        raise Refused("not-an-envelope", "the body is JSON but not an envelope with a list of objects") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise Refused("bad-json", f"the body is not JSON: {fault}") from None
    for number, raw in enumerate(envelope.objects):
        yield StixItem(bytes(raw), f"object {number}")
