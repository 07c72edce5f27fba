"""The one tree of errors: what went wrong, where, and who must act.

Every error has a stable ``code`` (documented, never renamed), an HTTP ``status``, a process ``exit_status`` and
an ``actor``: the one who can mend it. ``str(error)`` is a sentence for that person; it never holds a secret, a
path inside the hub's data folder or a traceback. ::

    HubError
    ├── RequestError            actor caller      the request itself is wrong
    │   ├── BadRequest          400 bad-request
    │   ├── BadFilter           400 bad-filter
    │   ├── BadQuery            400 bad-query
    │   ├── BadCursor           400 bad-cursor
    │   ├── NotSignedIn         401 not-signed-in
    │   ├── NotAllowed          403 not-allowed
    │   ├── NotFound            404 not-found
    │   ├── MethodNotAllowed    405 method-not-allowed
    │   ├── NotAcceptable       406 not-acceptable
    │   ├── Conflict            409 conflict
    │   │   └── Overtaken       409 conflict          what it was made from changed meanwhile: do it again
    │   ├── LengthRequired      411 length-required
    │   ├── TooLarge            413 too-large
    │   ├── WrongMediaType      415 wrong-media-type
    │   ├── Unprocessable       422 unprocessable
    │   └── TooManyRequests     429 too-many-requests
    ├── InputError              actor partner     what a source delivered cannot be read
    │   ├── Refused             422 (its own code) one item, goes to quarantine with reason and place
    │   ├── NotThatFormat       422 not-that-format
    │   └── SourceUnreachable   502 source-unreachable
    ├── OperatorError           actor operator    the administrator must act
    │   ├── BadSettings         500 bad-settings
    │   ├── AddressInUse        500 address-in-use
    │   ├── NoSuchFile          500 no-such-file
    │   ├── StoreUnavailable    503 store-unavailable   locked, out of reach, no quorum: try again
    │   ├── StoreFull           503 store-full          disk full, read-only index
    │   ├── StoreCorrupt        503 store-corrupt
    │   └── StoreVersion        503 store-version       made by a newer or a different program
    └── InternalError           actor developer   500 internal-error   a bug: report it with the request id
"""

from __future__ import annotations

from typing import ClassVar, Literal

Actor = Literal["caller", "partner", "operator", "developer"]
MENDED_AFTER = 60
"""Seconds after which a client may ask again for what an operator must mend first."""


class HubError(Exception):
    """Root of all errors that the hub raises on purpose.

    Args:
        message: one sentence: what was wrong, where, and what to do.
        retry_after: seconds after which trying again makes sense, or None.
    """

    code: ClassVar[str] = "internal-error"
    status: ClassVar[int] = 500
    exit_status: ClassVar[int] = 70
    actor: ClassVar[Actor] = "developer"

    def __init__(self, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after = retry_after

    @property
    def come_back(self) -> int | None:
        """Seconds that a client is told to wait: a while for what somebody must mend first, None if it is no use."""
        return MENDED_AFTER if self.retry_after is None and self.status == 503 else self.retry_after

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.args == other.args

    def __hash__(self) -> int:
        return hash((type(self), self.args))


class RequestError(HubError):
    """The request itself is wrong; the caller must change it."""

    code = "bad-request"
    status = 400
    exit_status = 64
    actor = "caller"


class BadRequest(RequestError):
    """The request cannot be understood."""


class BadFilter(RequestError):
    """A TAXII filter or query parameter is malformed or given twice (TAXII 2.1 section 3.4)."""

    code = "bad-filter"


class BadQuery(RequestError):
    """A search query cannot be read or costs too much."""

    code = "bad-query"


class BadCursor(RequestError):
    """A page token was not issued by this hub for this query and reader."""

    code = "bad-cursor"


class NotSignedIn(RequestError):
    """No credentials, or wrong ones."""

    code = "not-signed-in"
    status = 401
    exit_status = 77


class NotAllowed(RequestError):
    """The account may see the thing but not do this with it."""

    code = "not-allowed"
    status = 403
    exit_status = 77


class NotFound(RequestError):
    """There is no such thing, or the account may not see it: the two look the same."""

    code = "not-found"
    status = 404
    exit_status = 66


class MethodNotAllowed(RequestError):
    """The address does not take this method."""

    code = "method-not-allowed"
    status = 405


class NotAcceptable(RequestError):
    """No media type that the client accepts can be given."""

    code = "not-acceptable"
    status = 406


class Conflict(RequestError):
    """Somebody else changed it first, or it exists already."""

    code = "conflict"
    status = 409
    exit_status = 65


class Overtaken(Conflict):
    """What a change was made from has been changed by somebody else meanwhile; made anew, it may be fine."""


class LengthRequired(RequestError):
    """A body without a usable length."""

    code = "length-required"
    status = 411


class TooLarge(RequestError):
    """The body is larger than the limit."""

    code = "too-large"
    status = 413


class WrongMediaType(RequestError):
    """The body's media type is not one that this address takes."""

    code = "wrong-media-type"
    status = 415


class Unprocessable(RequestError):
    """The request is readable but asks for something impossible."""

    code = "unprocessable"
    status = 422


class TooManyRequests(RequestError):
    """A budget is used up, or too many wrong passwords: ``Retry-After`` says when to try again."""

    code = "too-many-requests"
    status = 429


class InputError(HubError):
    """What a source delivered cannot be read; the source must mend it."""

    code = "bad-input"
    status = 422
    exit_status = 65
    actor = "partner"


class Refused(InputError):
    """One item is not taken; it goes to quarantine and its neighbours go through.

    Args:
        reason: a stable code such as ``bad-json``, ``schema``, ``too-deep``, ``own-asset``.
        message: one sentence for the person who looks at the quarantine.
        place: where in the item: a JSON pointer, a line or a column; empty when it is the whole item.
    """

    def __init__(self, reason: str, message: str, *, place: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.place = place


class NotThatFormat(InputError):
    """A file or an answer is not in the declared format (HTML instead of JSON, wrong encoding, truncated)."""

    code = "not-that-format"


class SourceUnreachable(InputError):
    """A source did not answer, answered with an error, or its address is not allowed."""

    code = "source-unreachable"
    status = 502
    exit_status = 69


class OperatorError(HubError):
    """The administrator of this hub must act."""

    code = "operator-error"
    status = 500
    exit_status = 78
    actor = "operator"


class BadSettings(OperatorError):
    """A setting is unknown, missing or has an impossible value."""

    code = "bad-settings"


class AddressInUse(OperatorError):
    """The port is taken by another program."""

    code = "address-in-use"


class NoSuchFile(OperatorError):
    """A file or folder that a command was given cannot be read."""

    code = "no-such-file"
    exit_status = 66


class StoreUnavailable(OperatorError):
    """The store is locked or out of reach; nothing was lost, try again."""

    code = "store-unavailable"
    status = 503
    exit_status = 75


class StoreFull(OperatorError):
    """There is no room left to write; nothing was acknowledged that is not on disk."""

    code = "store-full"
    status = 503
    exit_status = 74


class StoreCorrupt(OperatorError):
    """The data file is damaged; restore it from a backup."""

    code = "store-corrupt"
    status = 503
    exit_status = 74


class StoreVersion(OperatorError):
    """The data was written by a newer version of the hub, or is not the hub's at all."""

    code = "store-version"
    status = 503


class InternalError(HubError):
    """A bug in the hub; the request id finds it in the log."""
