"""``/api/consent``: whether originators of advisories may be told the name of your organisation."""

from __future__ import annotations

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, ConfigDict, Field

from hub.access.audit import Audit
from hub.api import asked
from hub.api.faults import problems
from hub.publish.desk import Desk


class Consenting(BaseModel):
    """What your organisation agrees to."""

    model_config = ConfigDict(extra="forbid", strict=True)

    named: bool = Field(description="Whether receipts may name it; otherwise it is counted only.")


class Consent(BaseModel):
    """What your organisation agreed to."""

    organisation: str
    named: bool


def views(prefix: str, desk: Desk, audit: Audit) -> APIBlueprint:
    """Return the views of this resource below a prefix."""
    api = APIBlueprint(
        "consent", __name__, url_prefix=prefix, abp_tags=[Tag(name="consent")], abp_security=[{"token": []}]
    )

    @api.get("/consent", summary="Read", responses={200: Consent, **problems()})
    def read() -> Response:
        """Say whether originators may be told your organisation's name."""
        return _answer(desk)

    @api.put("/consent", summary="Change", responses={200: Consent, **problems(400, 403, 413, 415)})
    def change(body: Consenting) -> Response:
        """Agree, or take it back. It holds for all advisories, also for those that were pulled already."""
        who = asked.principal()
        if desk.consents(who) != body.named:
            desk.consent(who, given=body.named)
            asked.tell(audit, "advisory.consent", who.organisation, given=body.named)
        return _answer(desk)

    return api


def _answer(desk: Desk) -> Response:
    who = asked.principal()
    told = Consent(organisation=who.organisation, named=desk.consents(who))
    return Response(told.model_dump_json(), mimetype="application/json")
