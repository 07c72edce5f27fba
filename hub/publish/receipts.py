"""Receipts: who was entitled to an advisory, who pulled it and when, who acknowledged it, and how fast it spread.

They count what cannot be claimed: a pull is an answer of this server, to an account of that organisation, that held
the report's very version; HEAD, manifests and look-ups are none. The first one is kept and never moves. Whoever was
entitled when the version was published stays in the denominator, whatever becomes of the account.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import structlog

from hub.access.accounts import Accounts, Organisation
from hub.errors import Conflict, HubError, NotFound
from hub.model import times
from hub.publish.advisories import Advisory
from hub.store.ports import Batch, DocumentWrite, PageQuery, Scope, Store, Versions

_PULL = "advisory-pull"
_ACKNOWLEDGED = "advisory-ack"
_POLLED = "polled"
_CONSENT = "consent"
_NOTED_EVERY = times.HOUR
_MOST_REMEMBERED = 100_000
_TRIES = 5
_FEW = 3
"""A sector with fewer members would name them."""


class Mark(msgspec.Struct, frozen=True):
    """When (microseconds UTC) and by which account."""

    at: int
    user: str


class _Head(msgspec.Struct):
    type: str
    id: str
    modified: str = ""


_HEADS = msgspec.json.Decoder(list[_Head])


class Pulls:
    """Notes what pages served; one for each server process, used from all its threads.

    A page costs a search for one word in its bytes. Only when it holds reports that were not seen served to that
    organisation before are they read, and only what is new is written, in one commit.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._served: set[tuple[str, str, str]] = set()
        self._owed: dict[str, Mark] = {}
        self._polled: dict[str, int] = {}

    def polled(self, organisation: str) -> None:
        """Note that an organisation's poller is alive; writes once an hour."""
        now = times.now()
        if now - self._polled.get(organisation, -_NOTED_EVERY) < _NOTED_EVERY:
            return
        self._polled[organisation] = now
        try:
            self._store.commit(Batch(documents=[DocumentWrite(_POLLED, organisation, b"%d" % now)]))
        except HubError as fault:
            self._polled.pop(organisation, None)  # what leaves is told to those who may have it: none may be missed
            structlog.get_logger().warning("poll not noted", code=fault.code)

    def served(self, organisation: str, user: str, joined: bytes) -> None:
        """Note the advisories in a page, before it leaves; ``joined`` is its objects with commas between.

        When nothing can be written the page goes out all the same, and the note is made with the next one.
        """
        if b'"report--' not in joined and not self._owed:
            return
        now = times.now()
        for head in _HEADS.decode(b"[%b]" % joined) if b'"report--' in joined else ():
            known = (organisation, head.id, head.modified)
            if head.type != "report" or known in self._served:
                continue
            if len(self._served) >= _MOST_REMEMBERED:
                self._served.clear()
            self._served.add(known)
            if self._store.document("advisory", head.id) is not None:
                version = times.parse_timestamp(head.modified)
                self._owed.setdefault(pull_key(head.id, version, organisation), Mark(now, user))
        self._pay()

    def _pay(self) -> None:
        for _ in range(_TRIES):
            owed = dict(self._owed)
            news = {key: mark for key, mark in owed.items() if self._store.document(_PULL, key) is None}
            notes = [DocumentWrite(_PULL, key, msgspec.json.encode(mark), 0) for key, mark in news.items()]
            try:
                if notes:
                    self._store.commit(Batch(documents=notes))
            except Conflict:
                continue  # another process noted one of them first
            except HubError as fault:
                structlog.get_logger().warning("pull not noted yet", code=fault.code)
                return
            for key in owed:
                self._owed.pop(key, None)
            return


def pull_key(advisory: str, version: int, organisation: str) -> str:
    """Return the key of a pull: one for each version of the report and organisation."""
    return f"{advisory}|{version:020d}|{organisation}"


@dataclass(frozen=True, slots=True)
class Recipient:
    """One organisation of a status; ``organisation`` is None for who must not be named."""

    organisation: str | None
    pulled: int | None
    acknowledged: int | None
    last_poll: int | None
    stale: bool
    late: bool


class Own(NamedTuple):
    """What is noted of one organisation: whether it was entitled, when it pulled and acknowledged (microseconds)."""

    entitled: bool
    pulled: int | None
    acknowledged: int | None


@dataclass(frozen=True, slots=True)
class Sector:
    """Counts of a sector, or of a kind of organisation for those in none."""

    name: str
    entitled: int
    pulled: int
    acknowledged: int


@dataclass(frozen=True, slots=True)
class Status:
    """What became of the published version of an advisory.

    ``entitled``, ``pulled`` and ``acknowledged`` count organisations, other than the originator and the city, that were
    entitled when this version was published; ``late`` those that became so since and have it; ``informed`` those of all
    who pulled it that were served its end, the revoked version, too. ``half_after`` and ``ninety_after``: microseconds
    from publication until 50 % and 90 % of them had it, None while they have not. Recipients come in order of pulling;
    ``stale`` are those whose pollers are silent.
    """

    advisory: Advisory
    published: int | None
    entitled: int
    pulled: int
    acknowledged: int
    late: int
    informed: int
    half_after: int | None
    ninety_after: int | None
    sectors: tuple[Sector, ...]
    recipients: tuple[Recipient, ...]
    stale: int


def last_poll(store: Store, organisation: str) -> int | None:
    """Return the moment (microseconds UTC) after which an organisation surely polled nothing, None if it never did."""
    polled = store.document(_POLLED, organisation)
    return None if polled is None else int(polled.value) + _NOTED_EVERY


class Receipts:
    """Reads what was noted, and takes acknowledgements and consents.

    Args:
        store, accounts: the hub's. silence: microseconds without a poll after which a poller is stale.
    """

    def __init__(self, store: Store, accounts: Accounts, silence: int) -> None:
        self._store = store
        self._accounts = accounts
        self._silence = silence

    def acknowledge(self, advisory: Advisory, organisation: str, user: str, at: int) -> bool:
        """Note that an organisation has read and understood the published version; return whether it was the first.

        The first time counts, and each version for itself.
        """
        key = pull_key(advisory.id, advisory.version, organisation)
        try:
            mark = msgspec.json.encode(Mark(at, user))
            self._store.commit(Batch(documents=[DocumentWrite(_ACKNOWLEDGED, key, mark, expect=0)]))
        except Conflict:
            return False
        return True

    def own(self, advisory: Advisory, organisation: str) -> Own:
        """Say what is noted of one organisation and the published version of an advisory."""
        key = pull_key(advisory.id, advisory.version, organisation)
        pulled, acknowledged = self._mark(_PULL, key), self._mark(_ACKNOWLEDGED, key)
        return Own(organisation in advisory.entitled, pulled, acknowledged)

    def consent(self, organisation: str, given: bool) -> None:
        """Note whether an organisation may be named to the originators of advisories.

        Raises:
            NotFound: there is no such organisation.
        """
        if self._accounts.organisation(organisation) is None:
            raise NotFound(f"there is no organisation {organisation}")
        self._store.commit(Batch(documents=[DocumentWrite(_CONSENT, organisation, b"yes" if given else None)]))

    def consented(self, organisation: str) -> bool:
        """Say whether an organisation may be named."""
        return self._store.document(_CONSENT, organisation) is not None

    def status(self, advisory: Advisory, collection: str, entitled_now: Iterable[str], *, named: bool) -> Status:
        """Say what became of an advisory.

        Args:
            advisory: which. collection: where it is published. entitled_now: organisations that may read it today.
            named: whether to name those who did not consent, as for the city's analysts.
        """
        published = self._published(advisory, collection)
        prefix = pull_key(advisory.id, advisory.version, "")
        served = dict(self._marks(_PULL, f"{advisory.id}|"))
        pulls = {key.removeprefix(prefix): mark for key, mark in served.items() if key.startswith(prefix)}
        ended = {key.rpartition("|")[2] for key in served.keys() - {prefix + one for one in pulls} if key > prefix}
        acknowledged = {key.removeprefix(prefix): mark for key, mark in self._marks(_ACKNOWLEDGED, prefix)}
        home = self._accounts.home()
        own = {advisory.organisation, home.name if home is not None else ""}
        counted = [one for one in advisory.entitled if one not in own]
        late = sorted({*entitled_now, *pulls} - {*counted, *own}) if advisory.version else []
        recipients = sorted(
            (self._recipient(one, pulls, acknowledged, late=one in late, named=named) for one in (*counted, *late)),
            key=lambda one: (one.pulled is None, one.pulled or 0, one.organisation or ""),
        )
        reached = sorted(pulls[one].at for one in counted if one in pulls)
        return Status(
            advisory=advisory,
            published=published,
            entitled=len(counted),
            pulled=len(reached),
            acknowledged=sum(one in acknowledged for one in counted),
            late=sum(one in pulls for one in late),
            informed=sum(one in ended for one in pulls if one not in own),
            half_after=_reach(reached, len(counted), published, 50),
            ninety_after=_reach(reached, len(counted), published, 90),
            sectors=tuple(self._sectors(counted, pulls, acknowledged, named=named)),
            recipients=tuple(recipients),
            stale=sum(one.stale for one in recipients),
        )

    def _published(self, advisory: Advisory, collection: str) -> int | None:
        exact = Versions(last=False, exact=frozenset((advisory.version,)))
        query = PageQuery(collection, ids=frozenset((advisory.id,)), versions=exact)
        page = self._store.read_manifest(Scope(None, frozenset((collection,))), query)
        return page.entries[0].date_added if page.entries else None

    def _recipient(
        self,
        organisation: str,
        pulls: Mapping[str, Mark],
        acknowledged: Mapping[str, Mark],
        *,
        late: bool,
        named: bool,
    ) -> Recipient:
        polled = self._store.document(_POLLED, organisation)
        last = int(polled.value) if polled is not None else None
        return Recipient(
            organisation=organisation if named or self.consented(organisation) else None,
            pulled=pulls[organisation].at if organisation in pulls else None,
            acknowledged=acknowledged[organisation].at if organisation in acknowledged else None,
            last_poll=last,
            stale=last is None or times.now() - last > self._silence,
            late=late,
        )

    def _sectors(
        self, counted: Iterable[str], pulls: Mapping[str, Mark], acknowledged: Mapping[str, Mark], *, named: bool
    ) -> Iterator[Sector]:
        members: dict[str, list[str]] = {}
        known = frozenset(group.name for group in self._accounts.groups() if group.sector)
        for name in counted:
            for sector in _sectors_of(self._accounts.organisation(name), known):
                members.setdefault(sector, []).append(name)
        if not named:
            small = [sector for sector, names in members.items() if len(names) < _FEW]
            others = sorted({name for sector in small for name in members.pop(sector)})
            if others:
                members["others"] = others
        for sector, names in sorted(members.items()):
            yield Sector(
                sector, len(names), sum(one in pulls for one in names), sum(one in acknowledged for one in names)
            )

    def _mark(self, kind: str, key: str) -> int | None:
        document = self._store.document(kind, key)
        return None if document is None else msgspec.json.decode(document.value, type=Mark).at

    def _marks(self, kind: str, prefix: str) -> Iterator[tuple[str, Mark]]:
        after = ""
        while page := self._store.documents(kind, prefix=prefix, after=after):
            for document in page:
                yield document.key, msgspec.json.decode(document.value, type=Mark)
            after = page[-1].key


def _sectors_of(organisation: Organisation | None, known: frozenset[str]) -> tuple[str, ...]:
    if organisation is None:
        return ("gone",)
    return tuple(group for group in organisation.groups if group in known) or (organisation.kind,)


def _reach(reached: list[int], entitled: int, published: int | None, percent: int) -> int | None:
    """Return how long after publication so many per cent of the entitled had it."""
    needed = -(-entitled * percent // 100)
    if published is None or not needed or len(reached) < needed:
        return None
    return max(0, reached[needed - 1] - published)
