"""Queries about the sample data: made from what its objects are found by, and those written by hand."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from hub.model import times
from hub.model.observables import defang
from tests.store.sample_corpus import SAMPLES
from tests.store.search_oracle import Stored

_STEADY = times.parse_timestamp("2026-09-01T00:00:00Z")
"""What was made later was made by the test itself: its times are others in every run."""
_VALUES = re.compile(r"[a-z0-9]{1,63}(?:[.-][a-z0-9]+){1,8}", re.ASCII)


def written_by_hand() -> list[tuple[str, str]]:
    """Return queries as analysts type them, each with its reason."""
    lines = (SAMPLES / "search" / "queries.txt").read_text("utf-8").splitlines()
    parts = [line.partition("  # ") for line in lines if line and not line.startswith("#")]
    return [(query, reason) for query, _, reason in parts]


def generated(stored: Sequence[Stored], number: int, seed: int) -> list[str]:
    """Return so many queries made of what objects are found by: alone, joined and negated; the same every time."""
    chance = random.Random(seed)
    return [_query(chance, stored) for _ in range(number)]


def _query(chance: random.Random, stored: Sequence[Stored]) -> str:
    one, other = chance.choice(stored), chance.choice(stored)
    first, second, foreign, stranger = (_term(chance, of) for of in (one, one, other, chance.choice(stored)))
    return chance.choice(
        (
            first,
            f"{first} {second}",
            f"{first} AND {second} AND NOT {foreign}",
            f"{first} OR {foreign}",
            f"{first} ({second} OR {foreign})",
            f"({first} OR {foreign} OR {stranger}) AND NOT ({second} {foreign})",
            f"+{first} -{foreign}",
            f"NOT {foreign} {first}",
            f"NOT ({first} OR {foreign})",
        )
    )


def _term(chance: random.Random, one: Stored) -> str:
    """Return a term that finds an object."""
    made = [_text, _text, _value, _exact, _exact, _time, _number]
    while True:
        term = chance.choice(made)(chance, one)
        if term:
            return term


def _text(chance: random.Random, one: Stored) -> str:
    words = [word for word in _of(one, "w") if word.isalnum() and word.isascii()]
    names = [word for word in _of(one, "name") if word.isalnum() and word.isascii()]
    if not words:
        return ""
    word = chance.choice(words)
    found = [_literal(word), f'"{word} {chance.choice(words)}"', f"text:{_literal(word)}"]
    if len(word) > 3:
        found.append(f"{word[:-1]}*")
    if names:
        found.append(f"name:{_literal(chance.choice(names))}")
    return chance.choice(found)


def _value(chance: random.Random, one: Stored) -> str:
    values = [value for value in _of(one, "value") if "~" not in value]
    if not values:
        return ""
    value = chance.choice(values)
    found = [f'value:"{_quoted(value)}"', f'value:"{_quoted(defang(value))}"']
    if _VALUES.fullmatch(value):
        cut = chance.randrange(2, len(value))
        found += [value, f"value:{value[:cut]}*", f"value:*{value[-cut:]}", f"value:*.{value.partition('.')[2]}"]
    if re.fullmatch(r"\d+\.\d+\.\d+\.\d+", value):
        found += [f"value:{value}/{bits}" for bits in (31, 24, 16, 8)]
    return chance.choice(found)


def _exact(chance: random.Random, one: Stored) -> str:
    tokens = [token.partition("=") for token in one.draft.tokens]
    name, _, value = chance.choice([token for token in tokens if token[0] not in {"w", "name", "value", "eulav"}])
    if chance.random() < 0.2 and re.fullmatch(r"[a-z0-9-]{4,60}", value):
        return f"{name}:{value[: chance.randrange(2, len(value))]}*"
    return f'{name}:"{_quoted(value)}"'


def _time(chance: random.Random, one: Stored) -> str:
    name, moment = chance.choice((("created", one.draft.created), ("modified", one.draft.version or None)))
    if moment is None or moment >= _STEADY:
        return ""
    text = times.format_timestamp(moment)
    day, later = text[:10], times.format_timestamp(moment + chance.randrange(1, 400) * times.DAY)[:10]
    return chance.choice(
        (
            f"{name}:{text[:4]}",
            f"{name}:{text[:7]}",
            f"{name}:{day}",
            f"{name}:[{day} TO {later}]",
            f"{name}:[{day} TO {later}}}",
            f"{name}:<={day}",
            f"{name}:>={day}",
            f"{name}:<{later}",
        )
    )


def _number(chance: random.Random, one: Stored) -> str:
    draft = one.draft
    found = [f"revoked:{str(draft.revoked).lower()}"]
    if draft.confidence is not None:
        low, high = chance.randrange(draft.confidence + 1), chance.randrange(draft.confidence, 101)
        found += [
            f"confidence:{draft.confidence}",
            f"confidence:[{low} TO {high}]",
            f"confidence:>={low}",
            "confidence:*",
        ]
    return chance.choice(found)


def _of(one: Stored, name: str) -> list[str]:
    return [token[len(name) + 1 :] for token in one.draft.tokens if token.startswith(f"{name}=")]


def _literal(word: str) -> str:
    return f'"{word}"' if word in {"and", "or", "not", "to"} else word


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
