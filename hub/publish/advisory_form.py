"""A filled form becomes a STIX report with indicators: for those who push an advisory by hand.

::

    title = "Doors of pumping stations answer strangers"
    text = "Seen since Monday at three works. Block the addresses and look for the file."
    tlp = "AMBER"
    audience = ["utilities"]
    expires = 2027-01-31
    may_be_quoted = false
    indicators = ["198.51.100.7", "hxxp://evil[.]example/a.bin"]

Only ``title`` and ``text`` are needed. The same form makes the same ids, so pushing it twice hands in nothing new.
"""

from __future__ import annotations

import tomllib
from datetime import date
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from hub.access.members import Organisation
from hub.errors import NotThatFormat
from hub.model.audience import TLP
from hub.model.ids import derived_id
from hub.model.items import StixItem
from hub.model.markings import MARKING_ID
from hub.model.observables import NotObservable, Observable, recognise
from hub.model.patterns import pattern_for
from hub.model.times import format_timestamp
from hub.publish.advisories import Terms, end_of_day

_START = 1_735_689_600_000_000


def level(text: object) -> TLP:
    """Read a traffic light as a person writes it.

    Raises:
        ValueError: it is none.
    """
    name = str(text).upper().removeprefix("TLP:").replace("+", "_").replace("-", "_")
    if name not in TLP.__members__ or name == "UNKNOWN":
        raise ValueError("must be CLEAR, GREEN, AMBER, AMBER+STRICT or RED")
    return TLP[name]


def _observable(text: object) -> Observable:
    try:
        return recognise(str(text))
    except NotObservable as fault:
        raise ValueError(f"{str(text)[:80]!r}: {fault}") from None


class Form(BaseModel):
    """What a person fills in; ``tlp`` is None where the inbox's own marking shall hold."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    title: str = Field(min_length=1, max_length=500)
    text: str = Field(min_length=1, max_length=100_000)
    tlp: Annotated[TLP, BeforeValidator(level)] = TLP.AMBER
    audience: tuple[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")], ...] = ()
    expires: date | None = None
    may_be_quoted: bool | None = None
    indicators: tuple[Annotated[Observable, BeforeValidator(_observable)], ...] = Field((), max_length=900)

    @property
    def terms(self) -> Terms:
        """The terms that it states."""
        expires = None if self.expires is None else end_of_day(self.expires.isoformat())
        return Terms(tuple(sorted(set(self.audience))), expires, self.may_be_quoted)


def read_form(raw: bytes) -> Form:
    """Read a form.

    Raises:
        NotThatFormat: it is not TOML or not filled in rightly; the message names every field at fault.
    """
    try:
        return Form.model_validate(tomllib.loads(raw.decode()))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise NotThatFormat(f"the form is not TOML: {fault}") from None
    except ValidationError as fault:
        raise _not_rightly(fault) from None


def read_json_form(raw: bytes) -> Form:
    """Read a form that was filled in as a JSON object.

    Raises:
        NotThatFormat: as `read_form`.
    """
    try:
        return Form.model_validate_json(raw)
    except ValidationError as fault:
        raise _not_rightly(fault) from None


def _not_rightly(fault: ValidationError) -> NotThatFormat:
    faults = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in fault.errors()]
    return NotThatFormat(f"the form is not filled in rightly: {'; '.join(faults)}")


def form_objects(form: Form, by: Organisation, now: int) -> list[StixItem]:
    """Make the STIX objects of a form: the report first, an indicator for each value, the author.

    Args:
        form: filled in. by: its author; without a STIX identity of its own it gets one that is derived from its name.
        now: microseconds UTC, the time of report and indicators.
    """
    moment = format_timestamp(now, 3)
    key = orjson.dumps([form.title, form.text, form.tlp.name, [one.key for one in form.indicators]]).decode()
    author = by.identity or derived_id("identity", "organisation", by.name)
    common = {
        "spec_version": "2.1",
        "created_by_ref": author,
        "created": moment,
        "modified": moment,
        "object_marking_refs": [MARKING_ID[form.tlp]],
    }
    indicators: list[dict[str, Any]] = [
        {
            "type": "indicator",
            "id": derived_id("indicator", "form", by.name, key, one.key),
            **common,
            "name": one.value[:200],
            "pattern": pattern_for(one),
            "pattern_type": "stix",
            "valid_from": moment,
        }
        for one in dict.fromkeys(form.indicators)
    ]
    report: dict[str, Any] = {
        "type": "report",
        "id": derived_id("report", "form", by.name, key),
        **common,
        "name": form.title,
        "description": form.text,
        "published": moment,
        "object_refs": [one["id"] for one in indicators] or [author],
    }
    objects = [report, *indicators] if by.identity else [report, *indicators, _identity(author, by.title)]
    return [StixItem(orjson.dumps(one), one["id"]) for one in objects]


def _identity(id: str, name: str) -> dict[str, Any]:
    """Make an identity; always the same, so that storing it again changes nothing."""
    start = format_timestamp(_START, 3)
    return {
        "type": "identity",
        "spec_version": "2.1",
        "id": id,
        "created": start,
        "modified": start,
        "name": name,
        "identity_class": "organization",
        "object_marking_refs": [MARKING_ID[TLP.CLEAR]],
    }
