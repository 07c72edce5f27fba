"""Errors of the API: problem documents (RFC 9457) of the hub's one tree of errors, never a page for browsers."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from hub.errors import BadRequest, HubError, InternalError, NotFound, NotSignedIn, Refused
from hub.errors import MethodNotAllowed as NotThatMethod

PROBLEM = "application/problem+json"
_CHALLENGES = [
    ("WWW-Authenticate", 'Basic realm="City Threat Hub", charset="UTF-8"'),
    ("WWW-Authenticate", 'Bearer realm="City Threat Hub"'),
]


Answers = dict[str | int | HTTPStatus, type[BaseModel] | dict[Any, Any] | None]
"""By status, as flask-openapi3 takes them."""


class Problem(BaseModel):
    """What went wrong, for a program (`code`) and for a person (`detail`)."""

    model_config = ConfigDict(json_schema_extra={"additionalProperties": False})

    type: str = Field("about:blank", description="Always about:blank: the code tells more.")
    title: str = Field(description="The HTTP status in words.")
    status: int
    detail: str = Field(description="What was wrong, where, and what to do.")
    code: str = Field(description="Stable; docs/administrator/errors.md lists all.")
    error_id: str | None = Field(None, description="Finds a fault of the hub in its log.")


def problems(*statuses: int) -> Answers:
    """Return the answers that an operation can give besides its own, for the OpenAPI document."""
    reference = {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {PROBLEM: reference}}
        for status in sorted({*statuses, 400, 401, 429, 503})
    }


def problem(error: HubError, error_id: str) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return status, headers and body of an error."""
    code = error.reason if isinstance(error, Refused) else error.code
    told = Problem(
        title=HTTPStatus(error.status).phrase,
        status=error.status,
        detail=error.message,
        code=code,
        error_id=error_id or None,
    )
    headers = [("Content-Type", PROBLEM)]
    if isinstance(error, NotSignedIn):
        headers += _CHALLENGES
    if error.come_back is not None:
        headers.append(("Retry-After", str(error.come_back)))
    return error.status, headers, orjson.dumps(told.model_dump(exclude_none=True))


def of_http(error: HTTPException) -> HubError:
    """Return what the web framework refuses as an error of the tree."""
    if error.code == NotFound.status:
        return NotFound("there is nothing at this address")
    if isinstance(error, MethodNotAllowed):
        return NotThatMethod(f"this address takes {', '.join(sorted(error.valid_methods or ()))}")
    if error.code is None or error.code >= InternalError.status:
        return InternalError(error.description or error.name)
    return BadRequest(error.description or error.name)


def not_as_described(error: ValidationError) -> HubError:
    """Raise what is wrong with parameters or a body.

    Raises:
        BadRequest: always; the message names every part at fault.
    """
    parts = [f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}" for one in error.errors(include_input=False)]
    raise BadRequest("; ".join(parts)[:2000])
