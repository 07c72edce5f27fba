"""``/api/advisories``: push advisories, publish and end them, acknowledge them, and see who has them."""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models import RawModel
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, ConfigDict, Field, RootModel

from hub.access.audit import Audit
from hub.access.principal import Principal
from hub.api import asked
from hub.api.faults import Answers, problems
from hub.errors import NotFound, Refused
from hub.publish.advisories import State, Terms
from hub.publish.advisory_json import advisory_document, moment_text, status_document
from hub.publish.desk import Desk, Shown
from hub.publish.receipts import Own

JSON = "application/json"
_MOST = 1000

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]


class Strict(BaseModel):
    """What clients send: nothing that is not described."""

    model_config = ConfigDict(extra="forbid")


class Which(BaseModel):
    """Names an advisory."""

    id: str = Field(description="STIX id of its report.")


class Wanted(Strict):
    """Which advisories to list."""

    state: State | None = Field(None, description="Only those in this state.")
    after: str = Field("", max_length=200, description="`next` of the page before.")
    limit: int = Field(100, ge=1, le=_MOST, description="Advisories at most.")


class Publishing(Strict):
    """How to publish."""

    why: str = Field("", max_length=1000, description="One sentence for the history.")
    audience: tuple[Name, ...] = Field((), max_length=100, description="Address it to fewer than its originator did.")


class Ending(Strict):
    """Why it ends."""

    why: str = Field(min_length=1, max_length=1000, description="One sentence for the history.")


class Replacing(Strict):
    """What replaces it."""

    successor: str = Field(max_length=200, description="STIX id of the report of a published advisory.")
    why: str = Field("", max_length=1000)


class Acknowledging(Strict):
    """Nothing needs to be said."""


class Submission(RawModel):
    """An envelope or bundle with a report and what it refers to, a report alone, or a filled form."""


class Step(BaseModel):
    """One entry of the history."""

    state: State
    at: str
    by: str
    why: str


class Advisory(BaseModel):
    """An advisory. Its originator and the city's people see all of it, recipients the part up to `acknowledged`."""

    id: str
    title: str
    tlp: str
    state: State
    version: str | None = Field(None, description="`modified` of the published report.")
    expires: str | None = None
    may_be_quoted: bool | None = None
    successor: str | None = Field(None, description="The advisory that replaced it.")
    acknowledged: str | None = Field(None, description="When your organisation acknowledged this version.")
    organisation: str | None = None
    inbox: str | None = None
    audience: list[str] | None = None
    latest: str | None = Field(None, description="`modified` of the report that was handed in last.")
    waiting: bool | None = Field(None, description="Whether something newer waits for an analyst.")
    entitled: list[str] | None = Field(None, description="For the city's analysts: who was allowed to read it.")
    history: list[Step] | None = None
    report: dict[str, Any] | None = Field(None, description="The published STIX report; not in lists.")


class Listing(BaseModel):
    """A page of advisories, in order of id."""

    advisories: list[Advisory]
    next: str | None = Field(None, description="Send it as `after` for the next page; not there on the last one.")


class Fault(BaseModel):
    """An object that was not taken, and why."""

    id: str | None
    reason: str
    message: str


class HandedIn(BaseModel):
    """What became of a submission."""

    advisories: list[Advisory]
    stored: int
    unchanged: int
    refused: list[Fault]


class Sector(BaseModel):
    """Counts of a sharing group, or of a kind of organisation for those in none."""

    name: str
    entitled: int
    pulled: int
    acknowledged: int


class Recipient(BaseModel):
    """One recipient; `organisation` is not there for one that did not agree to be named."""

    organisation: str | None
    pulled: str | None
    acknowledged: str | None
    last_poll: str | None
    stale: bool
    late: bool


class Receipts(BaseModel):
    """What became of the published version: for its originator and the city's people."""

    id: str
    state: State
    version: str | None
    published: str | None
    entitled: int
    pulled: int
    acknowledged: int
    late: int
    informed: int
    stale: int
    half_after_seconds: float | None
    ninety_after_seconds: float | None
    sectors: list[Sector]
    recipients: list[Recipient]


class OwnReceipt(BaseModel):
    """What is noted of your organisation: for recipients."""

    id: str
    state: State
    entitled: bool
    pulled: str | None
    acknowledged: str | None


class Told(RootModel[Receipts | OwnReceipt]):
    """Everything, or your organisation's own line."""


class Acknowledged(BaseModel):
    """When your organisation acknowledged it first."""

    id: str
    acknowledged: str | None


def views(prefix: str, desk: Desk, audit: Audit) -> APIBlueprint:
    """Return the views of this resource below a prefix."""
    api = APIBlueprint(
        "advisories", __name__, url_prefix=prefix, abp_tags=[Tag(name="advisories")], abp_security=[{"token": []}]
    )
    _reading(api, desk)
    _working(api, desk, audit)
    _ending(api, desk, audit)
    # A default would not get into the document.
    body = api.paths[f"{prefix}/advisories"].post.requestBody
    body.required, body.description = True, Submission.__doc__
    return api


def _reading(api: APIBlueprint, desk: Desk) -> None:
    @api.get("/advisories", summary="List", responses={200: Listing, **problems(400)})
    def page(query: Wanted) -> Response:
        """List the advisories that your account may see, without their reports."""
        who = asked.principal()
        found, after = desk.page(who, state=query.state, after=query.after, limit=query.limit)
        desk.polled(who)
        return _answer(Listing(advisories=[_told(desk, who, one) for one in found], next=after))

    @api.get("/advisories/<string:id>", summary="Read", responses={200: Advisory, **problems(404)})
    def one(path: Which) -> Response:
        """Read an advisory with its published report. This counts as a pull by your organisation."""
        who = asked.principal()
        shown = desk.one(who, path.id)
        told = _told(desk, who, shown)
        if not asked.bodiless():
            desk.served(who, shown)
        return _answer(told, shown.copy.body if shown.copy is not None else b"")

    @api.get("/advisories/<string:id>/status", summary="Receipts", responses=_RECEIPTS)
    def status(path: Which) -> Response:
        """Who has it: for its originator and the city; everybody else sees the own line."""
        who = asked.principal()
        found = desk.status(who, path.id)
        if isinstance(found, Own):
            shown = desk.one(who, path.id)
            pulled, acknowledged = moment_text(found.pulled), moment_text(found.acknowledged)
            own = OwnReceipt(
                id=path.id,
                state=shown.advisory.state,
                entitled=found.entitled,
                pulled=pulled,
                acknowledged=acknowledged,
            )
            return _answer(own)
        document = status_document(found)
        advisory = document.pop("advisory")
        kept = {name: advisory[name] for name in ("id", "state", "version")}
        return _answer(Receipts.model_validate(document | kept))


def _working(api: APIBlueprint, desk: Desk, audit: Audit) -> None:
    @api.post("/advisories", summary="Push", responses={201: HandedIn, **_CHANGING})
    def push(raw: Submission) -> Response:
        """Hand in an advisory; a trusted organisation's is published at once, others' wait for an analyst.

        Raises:
            Refused: no report of it was taken.
        """
        who = asked.principal()
        found, receipt = desk.hand_in(who, raw.get_data())
        refused = [one for one in receipt.results if one.outcome not in ("stored", "unchanged")]
        if not found:
            raise Refused(refused[0].reason, f"the report was not taken: {refused[0].message}")
        for advisory in found:
            asked.tell(audit, "advisory.push", advisory.id, stored=receipt.stored, refused=len(refused))
        told = HandedIn(
            advisories=[_told(desk, who, Shown(one, None, whole=True)) for one in found],
            stored=receipt.stored,
            unchanged=receipt.unchanged,
            refused=[Fault(id=one.id, reason=one.reason, message=one.message) for one in refused],
        )
        return _answer(told, status=201)

    @api.post("/advisories/<string:id>/acknowledge", summary="Acknowledge", responses=_ACKNOWLEDGED)
    def acknowledge(path: Which, body: Acknowledging) -> Response:  # noqa: ARG001 - there is nothing in it
        """Say that your organisation has read it and understood. Saying it again changes nothing."""
        who = asked.principal()
        if desk.acknowledge(who, path.id):
            asked.tell(audit, "advisory.ack", path.id, organisation=who.organisation)
        own = desk.own(who, path.id)
        return _answer(Acknowledged(id=path.id, acknowledged=moment_text(own.acknowledged)))

    @api.post("/advisories/<string:id>/publish", summary="Publish", responses=_CHANGED)
    def publish(path: Which, body: Publishing) -> Response:
        """Publish what was handed in last; for the city's senior analysts."""
        who = asked.principal()
        desk.publish(who, path.id, body.why, body.audience)
        asked.tell(audit, "advisory.publish", path.id)
        return _answer(_told(desk, who, desk.one(who, path.id)))


def _ending(api: APIBlueprint, desk: Desk, audit: Audit) -> None:
    @api.post("/advisories/<string:id>/withdraw", summary="Withdraw", responses=_CHANGED)
    def withdraw(path: Which, body: Ending) -> Response:
        """Take it back: whoever has it gets it once more, revoked."""
        who = asked.principal()
        desk.withdraw(who, path.id, body.why)
        asked.tell(audit, "advisory.withdraw", path.id)
        return _answer(_told(desk, who, desk.one(who, path.id)))

    @api.post("/advisories/<string:id>/supersede", summary="Supersede", responses=_CHANGED)
    def supersede(path: Which, body: Replacing) -> Response:
        """Take it back because another advisory, which is published, replaces it."""
        who = asked.principal()
        desk.supersede(who, path.id, body.successor, body.why)
        asked.tell(audit, "advisory.supersede", path.id, successor=body.successor)
        return _answer(_told(desk, who, desk.one(who, path.id)))


_SPARSE = (Advisory, Listing, HandedIn)
"""Answers in which what a reader is not told, or nobody said, is left out; in the others it is null."""

_CHANGING = problems(400, 403, 409, 413, 415, 422)
_CHANGED: Answers = {200: Advisory, **problems(400, 403, 404, 409, 413, 415, 422)}
_ACKNOWLEDGED: Answers = {200: Acknowledged, **problems(400, 403, 404, 413, 415)}
_RECEIPTS: Answers = {200: Told, **problems(404)}


def _told(desk: Desk, who: Principal, shown: Shown) -> Advisory:
    """Return what an account is told of an advisory."""
    advisory, copy = shown.advisory, shown.copy
    own = desk.own(who, advisory.id).acknowledged
    document = advisory_document(advisory) | {"acknowledged": moment_text(own)}
    if shown.whole:
        if not who.reader.analyst:
            del document["entitled"]  # names that nobody agreed to tell
        return Advisory.model_validate(document)
    report = orjson.loads(copy.body) if copy is not None else {}
    # While a newer version waits, its terms are nobody's business yet.
    terms = Terms.of_labels(report.get("labels", ())) if advisory.waiting else advisory.terms
    return Advisory(
        **{name: document[name] for name in ("id", "state", "version", "acknowledged")},
        expires=moment_text(terms.expires),
        may_be_quoted=terms.may_be_quoted,
        title=report.get("name", ""),
        tlp=copy.audience.tlp.name if copy is not None else advisory.tlp,
        successor=_seen(desk, who, advisory.successor),
    )


def _seen(desk: Desk, who: Principal, id: str | None) -> str | None:
    """Return the id of another advisory if the account may see it."""
    try:
        return None if id is None else desk.one(who, id).advisory.id
    except NotFound:
        return None


def _answer(told: BaseModel, report: bytes = b"", status: int = 200) -> Response:
    """Return an answer; a report goes into it byte for byte, as it was handed in."""
    body = told.model_dump_json(exclude_none=isinstance(told, _SPARSE)).encode()
    if report:
        body = b'%b,"report":%b}' % (body[:-1], report)
    return Response(body, status, mimetype=JSON)
