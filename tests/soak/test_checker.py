"""The checker of the soak notices what must not happen: every planted fault is told, and an honest record has none."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from hub.app import Hub
from hub.model.audience import TLP
from hub.store.ports import Change, PageQuery, Scope, Versions
from tests.soak.checker import Checker
from tests.soak.history import History, Seen, Walk
from tests.soak.inside import take
from tests.soak.running import PUBLISHED, SHARED, opened, prepare
from tests.soak.script import digest, step
from tests.soak.trial import log_of, readers

pytestmark = pytest.mark.xdist_group("soak-checker")

STEPS = 60
WRITERS = ("inside-a", "leo")


@dataclass
class Record:
    """What is given to the checker."""

    history: History
    final: list[Change]

    def judge(self) -> list[str]:
        return Checker(self.history, self.final, readers()).violations()


def honest_walk(hub: Hub, user: str, collection: str, *, latest: bool) -> Walk:
    scope = Scope(readers()[user], frozenset((collection,)))
    page = hub.store.read_objects(
        scope, PageQuery(collection, versions=Versions(last=latest, all=not latest), limit=10_000)
    )
    found = [Seen(one["id"], one["modified"], digest(one)) for one in json.loads(b"[%b]" % page.joined)]
    return Walk(user, collection, "latest" if latest else "next", latest=latest, seen=found)


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Record:
    """What happens to two scripts on a real hub that nothing disturbs."""
    running = prepare(tmp_path_factory.mktemp("honest"))
    hub = opened(running.data, running.settings["feeds"])
    history = History()
    for number in range(1, STEPS + 1):
        for writer in WRITERS:
            todo = step(writer, number)
            history.begin(writer, number)
            assert take(hub, writer, todo) <= {"stored"}
            history.acknowledge({put.key for put in todo.puts})
            for gone in todo.deletes:
                history.acknowledge_delete(gone.collection, gone.id, gone.version)
        while hub.publication.retraction.follow():
            pass
    for user in readers():
        for collection in (SHARED, PUBLISHED):
            for latest in (False, True):
                history.keep(honest_walk(hub, user, collection, latest=latest))
    record = Record(history, list(log_of(hub.store)))
    hub.close()
    return record


def test_an_honest_record_has_no_violation(honest: Record) -> None:
    assert honest.judge() == []
    assert len([one for one in honest.final if one.source == "hub:publish"]) > 5
    assert len(honest.history.deleted) > 5
    assert min(len(walk.seen) for walk in honest.history.walks) > 20


def walk_of(record: Record, user: str, collection: str, style: str = "next") -> Walk:
    return next(
        one for one in record.history.walks if (one.user, one.collection, one.style) == (user, collection, style)
    )


def hidden(record: Record) -> Iterator[Seen]:
    """Yield what the city's analyst may see and a bank may not."""
    for change in record.final:
        if change.collection == SHARED and change.action == "put" and change.audience.tlp >= TLP.AMBER:
            yield Seen(change.id, change.version_text, digest(json.loads(change.body)))


def lose(record: Record) -> None:
    walk_of(record, "ben", SHARED).seen.pop(3)


def lose_the_latest(record: Record) -> None:
    walk_of(record, "ben", PUBLISHED, "latest").seen.pop()


def lose_from_a_walk(record: Record) -> None:
    walk = walk_of(record, "lia", SHARED)
    lost = walk.seen.pop(0)
    walk.before = frozenset(((SHARED, lost.id, lost.version),))


def repeat(record: Record) -> None:
    walk = walk_of(record, "lia", PUBLISHED)
    walk.seen.append(walk.seen[0])


def swap(record: Record) -> None:
    walk = walk_of(record, "sam", SHARED)
    one, other = walk.seen[:2]
    walk.seen[:2] = [one._replace(digest=other.digest), other._replace(digest=one.digest)]


def reveal(record: Record) -> None:
    walk_of(record, "ben", SHARED).seen.append(next(hidden(record)))


def from_elsewhere(record: Record) -> None:
    walk_of(record, "ben", SHARED).seen.append(walk_of(record, "ben", PUBLISHED).seen[0])


def invent(record: Record) -> None:
    walk = walk_of(record, "ana", SHARED)
    walk.seen.append(walk.seen[0]._replace(version="2031-01-01T00:00:00.000Z"))


def forget(record: Record) -> None:
    gone = next(one for one in record.final if one.collection == SHARED and one.action == "put")
    record.final.remove(gone)


def alter(record: Record) -> None:
    place = next(n for n, one in enumerate(record.final) if one.action == "put")
    body = record.final[place].body.replace(b"stage", b"st4ge")
    record.final[place] = replace(record.final[place], body=body)


def mark_otherwise(record: Record) -> None:
    place = next(n for n, one in enumerate(record.final) if one.action == "put" and one.audience.tlp == TLP.RED)
    looser = replace(record.final[place].audience, tlp=TLP.AMBER)
    record.final[place] = replace(record.final[place], audience=looser)


def come_back(record: Record) -> None:
    put = next(one for one in record.final if one.collection == SHARED and one.action == "put")
    record.history.acknowledge_delete(SHARED, put.id, None)


def leave_unseen(record: Record) -> None:
    gone = {(one.id, one.version_text) for one in record.final if one.source == "hub:publish"}
    record.final = [one for one in record.final if (one.id, one.version_text) not in gone]
    for walk in record.history.walks:
        walk.seen = [one for one in walk.seen if (one.id, one.version) not in gone]


@pytest.mark.parametrize(
    ("plant", "told"),
    [
        (lose, "missed"),
        (lose_the_latest, "missed"),
        (lose_from_a_walk, "missed"),
        (repeat, "repeated"),
        (swap, "swapped"),
        (reveal, "revealed"),
        (from_elsewhere, "invented"),
        (invent, "invented"),
        (forget, "lost"),
        (forget, "ghost"),
        (alter, "altered"),
        (mark_otherwise, "marked otherwise"),
        (come_back, "came back"),
        (leave_unseen, "not seen to leave"),
    ],
)
def test_a_planted_fault_is_told(honest: Record, plant: Callable[[Record], None], told: str) -> None:
    history = History()
    history.acknowledged, history.deleted = set(honest.history.acknowledged), set(honest.history.deleted)
    history.begun, history.walks = dict(honest.history.begun), copy.deepcopy(honest.history.walks)
    record = Record(history, list(honest.final))
    plant(record)
    assert any(told in one for one in record.judge())
