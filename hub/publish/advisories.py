"""Advisories as the hub keeps them: state, terms and history, one control document each.

::

    draft -> published -> superseded
      |          |
      +----------+------> withdrawn

An advisory is a STIX report that was handed in; what it is about are the objects that the report refers to. Its state
never lies in the objects themselves, which stay as their originator wrote them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import msgspec

from hub.errors import BadRequest, NotFound
from hub.model import times
from hub.model.markings import markings_of
from hub.store.ports import Document, DocumentWrite, Store

State = Literal["draft", "published", "superseded", "withdrawn"]

ADVISORY = "advisory"
PART = "advisory-part"
"""Documents ``object id|advisory id``: this object is, or will be, part of that advisory."""

_AUDIENCE = re.compile(r"audience:([a-z0-9][a-z0-9._-]{0,63})", re.ASCII)
_EXPIRES = re.compile(r"expires:(\d{4}-\d\d-\d\d)", re.ASCII)
_QUOTE = {"may-be-quoted": True, "not-to-be-quoted": False}


class Terms(msgspec.Struct, frozen=True):
    """On what terms an originator hands an advisory in.

    Attributes:
        audience: organisations and sharing groups it is addressed to, beside those its markings allow.
        expires: microseconds UTC after which it is withdrawn, or None.
        may_be_quoted: whether recipients may quote it in public; None: not said.
    """

    audience: tuple[str, ...] = ()
    expires: int | None = None
    may_be_quoted: bool | None = None

    @classmethod
    def of_labels(cls, labels: Iterable[object]) -> Terms:
        """Read terms from a report's labels: ``audience:utilities``, ``expires:2027-01-31``, ``may-be-quoted``."""
        words = [str(label) for label in labels]
        expires = next((found[1] for word in words if (found := _EXPIRES.fullmatch(word))), None)
        return cls(
            tuple(sorted({found[1] for word in words if (found := _AUDIENCE.fullmatch(word))})),
            None if expires is None else end_of_day(expires),
            next((_QUOTE[word] for word in words if word in _QUOTE), None),
        )

    def over(self, others: Terms) -> Terms:
        """Return these terms, and the others where these say nothing."""
        return Terms(
            self.audience or others.audience,
            others.expires if self.expires is None else self.expires,
            others.may_be_quoted if self.may_be_quoted is None else self.may_be_quoted,
        )


class Step(msgspec.Struct, frozen=True):
    """One entry of an advisory's history: what was done when (microseconds UTC), by whom, why."""

    state: State
    at: int
    by: str
    why: str = ""


class Advisory(msgspec.Struct, frozen=True):
    """One advisory.

    Attributes:
        id: of its report. inbox: key of the collection it was handed in to. organisation: whose it is.
        title: the report's name. tlp: its traffic light.
        latest: version of the report that was handed in last, 0 before the hub has looked at it.
        version: version of the report that is published, 0 if none is.
        waiting: whether something newer than what is published waits for an analyst.
        terms: those that hold. given: those that were handed in beside the report and not looked at yet.
        entitled: organisations that were allowed to read it when this version was published.
        successor: the advisory that replaced it. history: oldest first.
    """

    id: str
    inbox: str
    organisation: str
    title: str = ""
    tlp: str = ""
    state: State = "draft"
    latest: int = 0
    version: int = 0
    waiting: bool = False
    terms: Terms = Terms()
    given: Terms = Terms()
    entitled: tuple[str, ...] = ()
    successor: str | None = None
    history: tuple[Step, ...] = ()

    def stepped(self, state: State, by: str, why: str, **changed: Any) -> Advisory:
        """Return it in another state, with an entry in its history."""
        step = Step(state, times.now(), by, why)
        return msgspec.structs.replace(self, state=state, history=(*self.history, step), **changed)


class AdvisoryBook:
    """All advisories of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, id: str) -> tuple[Advisory, int] | None:
        """Return an advisory and the version of its document."""
        document = self._store.document(ADVISORY, id)
        return None if document is None else (_read(document), document.version)

    def __getitem__(self, id: str) -> Advisory:
        """Return an advisory.

        Raises:
            NotFound: there is none.
        """
        found = self.find(id)
        if found is None:
            raise NotFound(f"there is no advisory {id}; `threathub advisory list` shows all")
        return found[0]

    def __iter__(self) -> Iterator[Advisory]:
        return self.after("")

    def after(self, after: str) -> Iterator[Advisory]:
        """Yield advisories in order of id, those behind an id."""
        while page := self._store.documents(ADVISORY, after=after):
            yield from map(_read, page)
            after = page[-1].key

    def with_part(self, object_id: str) -> Iterator[str]:
        """Yield ids of the advisories that an object is part of."""
        for document in self._store.documents(PART, prefix=f"{object_id}|"):
            yield document.key.partition("|")[2]


def advisory_write(advisory: Advisory, expect: int | None) -> DocumentWrite:
    """Return the write that saves an advisory; ``expect`` is the version of the document that was read, 0 if none."""
    return DocumentWrite(ADVISORY, advisory.id, msgspec.json.encode(advisory), expect=expect)


def part_writes(advisory: str, references: Iterable[str]) -> list[DocumentWrite]:
    """Return the writes that note what an advisory consists of, there or still to come."""
    return [DocumentWrite(PART, f"{reference}|{advisory}", b"{}") for reference in references]


def end_of_day(day: str) -> int:
    """Return the end of a day, ``2027-01-31``, in microseconds UTC.

    Raises:
        BadRequest: it is no day.
    """
    try:
        return times.parse_timestamp(f"{day}T00:00:00Z") + times.DAY
    except ValueError:
        raise BadRequest(f"{day!r} is no day: write it as 2027-01-31") from None


def references_of(obj: Mapping[str, Any]) -> list[str]:
    """Return what goes along with an object: a report's objects, the author, the definitions of markings."""
    listed = obj.get("object_refs", ()) if obj["type"] == "report" else ()
    author = (obj["created_by_ref"],) if "created_by_ref" in obj else ()
    return [*listed, *author, *sorted(markings_of(obj))]


def _read(document: Document) -> Advisory:
    return msgspec.json.decode(document.value, type=Advisory)
