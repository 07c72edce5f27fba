"""An upgrade that is given up, or killed, at the worst moment: what is read is never deleted, what is not, is."""

from __future__ import annotations

import pytest

from hub.errors import Conflict, StoreUnavailable
from hub.store.elastic import indices
from hub.store.elastic.cluster import Cluster
from hub.store.elastic.faults import unreachable
from hub.store.elastic.journal import Journal
from tests.elastic.test_upgrade import Open, batch, names, opened, seen, silent

__all__ = ("opened",)


def generations(store: object) -> set[str]:
    return {name.split("-objects-")[1][0] for name in names(store) if "-objects-" in name}  # type: ignore[arg-type]


def test_one_that_is_given_up_just_before_it_ends_deletes_nothing_that_is_read(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, upgrading, other = opened(), opened(3), opened()
    store.commit(batch(1))
    before = seen(store)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    def give_up(*_: object) -> None:
        with monkeypatch.context() as meanwhile, pytest.raises(KeyboardInterrupt):
            meanwhile.setattr(indices, "drop_generation", killed)
            other.abandon_upgrade()

    with pytest.raises(Conflict, match="given this move"):
        upgrading.upgrade(give_up)
    assert seen(opened()) == before
    assert generations(store) == {"1", "2"}
    # What the one who gave it up did not come to do is done when it is said again.
    assert other.abandon_upgrade() and generations(store) == {"1"}


def test_one_that_ends_while_it_is_given_up_stays(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    store, upgrading, other = opened(), opened(3), opened()
    store.commit(batch(1))
    before = seen(store)
    append = Journal.append

    def too_late(self: Journal, plan: object) -> object:
        if self is other._journal:
            monkeypatch.setattr(Journal, "append", append)
            assert upgrading.upgrade(silent)
        return append(self, plan)  # type: ignore[arg-type]

    def give_up(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        upgrading.upgrade(give_up)
    monkeypatch.setattr(Journal, "append", too_late)
    assert not other.abandon_upgrade()
    assert seen(opened()) == before and generations(store) == {"2"}


def test_old_indices_are_deleted_by_the_next_when_the_one_before_was_killed(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened()
    store.commit(batch(1))
    before = seen(store)
    with monkeypatch.context() as first, pytest.raises(StoreUnavailable):
        first.setattr(indices, "drop_generation", _fail)
        opened(3).upgrade(silent)
    assert generations(store) == {"1", "2"} and seen(store) == before
    assert opened(3).upgrade(silent)
    assert generations(store) == {"2"} and seen(store) == before
    assert not opened(3).upgrade(silent)


@pytest.mark.parametrize("begun", (False, True))
def test_indices_of_one_that_was_killed_earlier_mislead_nobody(
    opened: Open, monkeypatch: pytest.MonkeyPatch, begun: bool
) -> None:
    store = opened()
    store.commit(batch(1))
    before = seen(store)
    if begun:
        with pytest.raises(KeyboardInterrupt):
            opened(2).upgrade(_interrupt)
        with monkeypatch.context() as first, pytest.raises(StoreUnavailable):
            first.setattr(indices, "drop_generation", _fail)
            opened(2).abandon_upgrade()
    else:
        with monkeypatch.context() as first, pytest.raises(StoreUnavailable):
            first.setattr(Cluster, "create", _fail)
            first.setattr(store._journal, "_patience", 0)
            upgrading = opened(2)
            upgrading._journal._patience = 0
            upgrading.upgrade(silent)
    assert generations(store) == {"1", "2"}
    drop = indices.drop_generation

    def once(cluster: Cluster, number: int) -> None:
        monkeypatch.setattr(indices, "drop_generation", _fail)
        drop(cluster, number)

    monkeypatch.setattr(indices, "drop_generation", once)
    with pytest.raises(StoreUnavailable):
        opened(3).upgrade(silent)
    assert len(generations(store)) == 2
    assert seen(opened()) == seen(store) == before
    monkeypatch.setattr(indices, "drop_generation", drop)
    assert opened(3).upgrade(silent) and generations(store) == {"3"}
    assert seen(opened()) == seen(store) == before


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _fail(*_: object, **__: object) -> None:
    raise unreachable()
