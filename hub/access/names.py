"""Names of organisations and sharing groups: one name space, and never given to somebody else.

What is shared is addressed to names. If an organisation could be called like a group, or a new one like one that left,
it would be handed what was meant for the other. So every name that was used stays reserved for what it was used for.
"""

from __future__ import annotations

from typing import Literal

from hub.errors import Conflict
from hub.store.ports import DocumentWrite, Store

_KIND = "name"

Named = Literal["organisation", "group"]


def taking(store: Store, name: str, named: Named, *, again: bool) -> DocumentWrite:
    """Return the write that takes a name; it fails when somebody else is faster.

    Args:
        store: where it is taken. name: which. named: what for. again: whether it is the same one that was there before.

    Raises:
        Conflict: the name is or was used for something else, or was used before and ``again`` is not said.
    """
    document = store.document(_KIND, name)
    if document is None:
        return DocumentWrite(_KIND, name, named.encode(), expect=0)
    used_for = document.value.decode()
    if used_for != named:
        raise Conflict(f"{name} is, or was, the name of a {used_for.replace('group', 'sharing group')}: take another")
    if not again:
        was = f"there was a {named} {name} before, and what is addressed to it would go to this one"
        raise Conflict(f"{was}: say --again if it is the same one, or take another name")
    return DocumentWrite(_KIND, name, named.encode(), expect=document.version)


def leaving(name: str, named: Named) -> DocumentWrite:
    """Return the write that keeps a name reserved when what it named goes."""
    return DocumentWrite(_KIND, name, named.encode())
