"""Work is divided fairly, stays where it is when it can, and comes to rest."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from hub.ops.division import division, kind_of

WORKERS = st.sampled_from(["0", "1", "2", "3", "4"])
PIECES = st.sampled_from([*(f"feed:{n}" for n in range(9)), *(f"rule:{n}" for n in range(3)), "sightings", "hunt"])


@given(st.dictionaries(WORKERS, st.frozensets(PIECES)), st.dictionaries(PIECES, WORKERS))
def test_all_that_is_offered_is_given_to_who_can_do_it_and_then_rests(offers, held) -> None:
    divided = division(offers, held)
    assert set(divided) == set().union(*offers.values())
    assert all(piece in offers[worker] for piece, worker in divided.items())
    assert division(offers, divided) == divided


@given(st.frozensets(WORKERS, min_size=1), st.frozensets(PIECES), st.dictionaries(PIECES, WORKERS))
def test_equal_workers_get_equal_shares_of_each_kind_and_no_more_moves_than_needed(workers, pieces, held) -> None:
    divided = division(dict.fromkeys(workers, pieces), held)
    for kind in {kind_of(piece) for piece in pieces}:
        here = [piece for piece in pieces if kind_of(piece) == kind]
        shares = Counter(dict.fromkeys(workers, 0)) + Counter(divided[piece] for piece in here)
        counts = [shares[worker] for worker in workers]
        assert max(counts) - min(counts) <= 1
        stood = Counter(held[piece] for piece in here if held.get(piece) in workers)
        assert sum(held.get(piece) == divided[piece] for piece in here) >= sum(
            min(number, len(here) // len(workers)) for number in stood.values()
        )


def test_one_that_comes_takes_from_the_fullest_only() -> None:
    pieces = [f"feed:{number}" for number in range(10)]
    held = dict.fromkeys(pieces[:5], "0") | dict.fromkeys(pieces[5:], "1")
    divided = division(dict.fromkeys("012", pieces), held)
    assert sorted(Counter(divided.values()).values()) == [3, 3, 4]
    assert sum(held[piece] != divided[piece] for piece in pieces) == 3
