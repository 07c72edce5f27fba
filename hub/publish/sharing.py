"""Whom collections and advisories are shared with, by name: what a group is still needed for, and who is not there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hub.access.accounts import Accounts
from hub.publish.advisories import Advisory
from hub.publish.collections import Collection


def uses_of(group: str, collections: Iterable[Collection], advisories: Iterable[Advisory]) -> Iterator[str]:
    """Yield the collections that are granted to a sharing group, and the open advisories that are addressed to it."""
    for one in collections:
        if f"group:{group}" in one.grants:
            yield f"collection {one.key}"
    for advisory in advisories:
        if advisory.state in ("draft", "published") and group in advisory.terms.audience:
            yield f"advisory {advisory.id}"


def not_there(collections: Iterable[Collection], accounts: Accounts) -> Iterator[tuple[str, str]]:
    """Yield (key, grant) of collections that are granted to a group or organisation that is not there.

    A mistyped name in a declaration gives nobody anything, silently. It is no error: who is to come can be granted to.
    """
    there = {f"organisation:{one.name}" for one in accounts.organisations()}
    there |= {f"group:{one.name}" for one in accounts.groups()}
    for one in collections:
        for grant in one.grants:
            if grant.startswith(("organisation:", "group:")) and grant not in there:
                yield one.key, grant
