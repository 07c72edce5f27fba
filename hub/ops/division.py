"""Who should do which piece of background work: a pure function, the same for every worker that looks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from hashlib import blake2b


def kind_of(piece: str) -> str:
    """Return the kind of a piece: ``feed`` of ``feed:ipsum``; pieces without one are of one kind together."""
    return piece.partition(":")[0] if ":" in piece else ""


def division(offers: Mapping[str, Collection[str]], held: Mapping[str, str]) -> dict[str, str]:
    """Divide pieces of work among workers, kind by kind, with as few moves as possible.

    Of workers that offer the same, none gets two more pieces of a kind than another. What it returns it returns again
    when that is what is held, so a division comes to rest.

    Args:
        offers: the pieces that each worker can do. held: who has which piece now; those not offered are passed over.

    Returns:
        The worker of every piece that anybody offers.
    """
    able: dict[str, list[str]] = defaultdict(list)
    for worker in sorted(offers):
        for piece in offers[worker]:
            able[piece].append(worker)
    kinds: dict[str, list[str]] = defaultdict(list)
    for piece in sorted(able, key=lambda piece: (len(able[piece]), piece)):
        kinds[kind_of(piece)].append(piece)
    divided: dict[str, str] = {}
    for _, pieces in sorted(kinds.items()):
        divided |= _shared(pieces, able, held, Counter(divided.values()))
    return divided


def _shared(
    pieces: Collection[str], able: Mapping[str, list[str]], held: Mapping[str, str], besides: Mapping[str, int]
) -> dict[str, str]:
    shared = {piece: held[piece] for piece in pieces if held.get(piece) in able[piece]}
    load = Counter(shared.values())

    def least(piece: str) -> str:
        return min(able[piece], key=lambda worker: (load[worker], besides.get(worker, 0), _draw(piece, worker)))

    for piece in pieces:
        if piece not in shared:
            shared[piece] = least(piece)
            load[shared[piece]] += 1
    moved = True
    while moved:  # each move makes the sum of the squares of the loads less
        moved = False
        for piece in pieces:
            before, after = shared[piece], least(piece)
            if load[after] + 1 < load[before]:
                shared[piece] = after
                load[before] -= 1
                load[after] += 1
                moved = True
    return shared


def _draw(piece: str, worker: str) -> bytes:
    return blake2b(f"{piece}|{worker}".encode(), digest_size=8).digest()
