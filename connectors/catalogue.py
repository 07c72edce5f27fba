"""Which connectors there are: every class in this package that keeps the contract, found by walking it."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType
from typing import cast

import connectors
from connectors.contract import Connector, ConnectorSettings
from hub.errors import BadSettings


@functools.cache
def all_connectors() -> Mapping[str, Connector]:
    """Return one instance of every connector by its name; a file that is put into the package is found by itself."""
    found: dict[str, Connector] = {}
    for module_info in pkgutil.iter_modules(connectors.__path__):
        if module_info.ispkg:
            continue
        module = importlib.import_module(f"connectors.{module_info.name}")
        for _, one in inspect.getmembers(module, inspect.isclass):
            if one.__module__ == module.__name__ and _keeps_contract(one):
                made = cast(Connector, one())
                found[made.name] = made
    return MappingProxyType(dict(sorted(found.items())))


def connector(name: str) -> Connector:
    """Return a connector by name.

    Raises:
        BadSettings: there is none of this name.
    """
    known = all_connectors()
    if name not in known:
        raise BadSettings(f"there is no connector {name[:40]!r}; there are {', '.join(known)}")
    return known[name]


def _keeps_contract(one: type) -> bool:
    settings = getattr(one, "Settings", None)
    return (
        inspect.isclass(settings)
        and issubclass(settings, ConnectorSettings)
        and isinstance(getattr(one, "name", None), str)
        and hasattr(one, "fetch")
        and hasattr(one, "read")
    )
