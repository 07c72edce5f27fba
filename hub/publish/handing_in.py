"""Handing in an advisory by file: a bundle as if it had been posted, with the terms that stand beside it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from hub.access.members import Organisation
from hub.admission.gate import Gate, Origin, Receipt
from hub.errors import BadRequest, Conflict, NotAllowed
from hub.model import times
from hub.model.items import StixItem
from hub.publish.advisories import ADVISORY, Advisory, Terms, advisory_write
from hub.publish.advisory_form import Form, form_objects
from hub.publish.collections import Collection
from hub.publish.publisher import Publisher
from hub.store.ports import Batch, DocumentWrite, Store


class _Head(msgspec.Struct):
    type: str = ""
    id: str = ""


_HEAD = msgspec.json.Decoder(_Head)


class HandingIn:
    """Takes files in.

    Args:
        store, gate: the hub's. publisher: looks at what came in at once.
    """

    def __init__(self, store: Store, gate: Gate, publisher: Publisher) -> None:
        self._store = store
        self._gate = gate
        self._publisher = publisher

    def of_form(self, form: Form, by: Organisation) -> list[StixItem]:
        """Return the objects of a filled form, its report first.

        Raises:
            Conflict: the same form was handed in already.
        """
        items = form_objects(form, by, times.now())
        if self._publisher.book.find(items[0].place) is not None:
            raise Conflict(f"this form was handed in already: {items[0].place}")
        return items

    def take(
        self, inbox: Collection, items: Sequence[StixItem], origin: Origin, given: Terms
    ) -> tuple[list[Advisory], Receipt]:
        """Take a bundle with advisories in; a trusted organisation's are published at once.

        Args:
            inbox: where to. items: the bundle's objects. origin: who hands it in, into that inbox. given: the terms.

        Returns:
            The advisories in it that were taken, and what became of each object.

        Raises:
            BadRequest: there is no report in it. NotAllowed: a report of that id is another organisation's.
        """
        ids = [id for item in items if (id := _report_id(item))]
        if not ids:
            raise BadRequest("there is no report in it, so it is no advisory")
        book = self._publisher.book
        known = {id: book.find(id) for id in ids}
        documents = []
        for id, found in known.items():
            advisory, version = found or (Advisory(id, inbox.key, origin.organisation), 0)
            if advisory.organisation != origin.organisation:
                raise NotAllowed(f"the advisory {id} belongs to another organisation")
            documents.append(advisory_write(msgspec.structs.replace(advisory, given=given), version))
        receipt = self._gate.admit(items, origin, documents)
        taken = {one.id for one in receipt.results if one.id and one.outcome in ("stored", "unchanged")}
        ghosts = [id for id, found in known.items() if found is None and id not in taken]
        if ghosts:
            self._store.commit(Batch(documents=[DocumentWrite(ADVISORY, id, None) for id in ghosts]))
        self._publisher.handed_in(inbox, taken)
        return [found[0] for id in known if (found := book.find(id)) is not None], receipt


def _report_id(item: StixItem) -> str:
    """Return the id of a report, or nothing for another object or one that the gate will refuse."""
    try:
        head = _HEAD.decode(item.raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return head.id if head.type == "report" else ""
