"""What a search must find, said as plainly as possible: the oracle for every engine's search."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from hub.model.audience import may
from hub.model.observables import Observable
from hub.store.ports import UNVERSIONED, Draft, Scope
from hub.store.query import And, Compare, Everything, Node, Not, Or, Prefix, Token, Under


@dataclass(frozen=True)
class Stored:
    """A draft, when the store took it, and where it stands in the log."""

    draft: Draft
    date_added: int
    position: int = 0


def seen_by(scope: Scope, stored: Iterable[Stored]) -> list[Stored]:
    """Return the latest version of every object that a scope may see, newest first."""
    latest: dict[str, Stored] = {}
    for one in stored:
        draft = one.draft
        if scope.collections is not None and draft.collection not in scope.collections:
            continue
        if scope.reader is not None and not may(scope.reader, draft.audience, scope.purpose).allowed:
            continue
        latest[draft.id] = max(latest.get(draft.id, one), one, key=_rank)
    return sorted(latest.values(), key=lambda one: -one.position)


def _rank(one: Stored) -> tuple[str, int, int]:
    return one.draft.spec_version, one.draft.version, one.position


def finds(node: Node, stored: Stored) -> bool:
    """Say whether a stored object answers to a tree."""
    match node:
        case Everything():
            return True
        case And(parts):
            return all(finds(part, stored) for part in parts)
        case Or(parts):
            return any(finds(part, stored) for part in parts)
        case Not(part):
            return not finds(part, stored)
        case Token(field, term):
            return f"{field}={term}" in stored.draft.tokens
        case Prefix(field, text):
            return any(token.startswith(f"{field}={text}") for token in stored.draft.tokens)
        case Under(key):
            whole = Observable.from_key(key)
            return any(_below(whole, Observable.from_key(key)) for key in stored.draft.observables)
        case Compare(attribute, low, high):
            number = stored.date_added if attribute == "date_added" else getattr(stored.draft, attribute)
            if number is None or (attribute == "version" and number == UNVERSIONED):
                return False
            return (low is None or number >= low) and (high is None or number <= high)
    raise AssertionError(node)


def _below(whole: Observable, part: Observable) -> bool:
    host = part.value
    if part.kind == "url":
        host = urlsplit(part.value).hostname or ""
    elif part.kind == "email-addr":
        host = part.value.rpartition("@")[2].strip("[]")
    elif part.kind not in {"ipv4-addr", "ipv6-addr", "domain-name"}:
        return False
    if whole.kind == "domain-name":
        return host == whole.value or host.endswith(f".{whole.value}")
    try:
        network = ipaddress.ip_network(host)
    except ValueError:
        return False
    outer = ipaddress.ip_network(whole.value)
    return network.version == outer.version and network.subnet_of(outer)  # type: ignore[arg-type]
