"""Cut a TAXII envelope into its objects without touching their bytes.

`msgspec.Raw` marks where each object begins and ends; none is parsed here, so one bad object costs its neighbours
nothing. Files, which may be far longer than an envelope, are cut by `connectors.cutting`.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from hub.errors import Refused
from hub.model.items import StixItem


class _Envelope(msgspec.Struct):
    objects: list[msgspec.Raw] = []


_ENVELOPE = msgspec.json.Decoder(_Envelope)


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
