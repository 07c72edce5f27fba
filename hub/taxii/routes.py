"""The addresses of TAXII 2.1 (section 1.6.8 and the tables of sections 4 and 5): segments, methods, parameters."""

from __future__ import annotations

from dataclasses import dataclass

from hub.taxii import filters


@dataclass(frozen=True, slots=True)
class Route:
    """One kind of address.

    Attributes:
        name: in messages and page tokens. path: its segments; those in braces are slots, fields of `Address`.
        methods: that it defines. parameters: query parameters that it defines.
    """

    name: str
    path: str
    methods: tuple[str, ...] = ("GET",)
    parameters: frozenset[str] = frozenset()

    @property
    def allow(self) -> str:
        """The ``Allow`` header: what is defined, and what comes with it."""
        return ", ".join((*self.methods, "HEAD", "OPTIONS"))

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of its slots, in order."""
        return tuple(part[1:-1] for part in self.path.split("/") if part.startswith("{"))


_COLLECTION = "/{api_root}/collections/{collection}/"

DISCOVERY = Route("discovery", "/taxii2/")
API_ROOT = Route("api root", "/{api_root}/")
STATUS = Route("status", "/{api_root}/status/{status_id}/")
COLLECTIONS = Route("collections", "/{api_root}/collections/")
COLLECTION = Route("collection", _COLLECTION)
MANIFEST = Route("manifest", f"{_COLLECTION}manifest/", parameters=filters.LISTED)
OBJECTS = Route("objects", f"{_COLLECTION}objects/", ("GET", "POST"), filters.LISTED)
OBJECT = Route("object", f"{_COLLECTION}objects/{{object_id}}/", ("GET", "DELETE"), filters.OBJECT)
VERSIONS = Route("versions", f"{_COLLECTION}objects/{{object_id}}/versions/", parameters=filters.VERSIONS)

ROUTES = (DISCOVERY, API_ROOT, STATUS, COLLECTIONS, COLLECTION, MANIFEST, OBJECTS, OBJECT, VERSIONS)
"""All of them."""

# Every second segment is a slot, in all but discovery; the words between them, and their number, tell the route.
_BY_WORDS = {(route.path.count("/"), *route.path.strip("/").split("/")[1::2]): route for route in ROUTES[1:]}
_SLOTS = {route: route.slots for route in ROUTES}


@dataclass(frozen=True, slots=True)
class Address:
    """A path taken apart; what a route does not have is empty. ``collection`` is an id or an alias."""

    route: Route
    api_root: str = ""
    collection: str = ""
    object_id: str = ""
    status_id: str = ""


def read_path(path: str) -> Address | None:
    """Take a path apart, with or without its last slash; None when TAXII has no such address."""
    empty, *given = path.removesuffix("/").split("/")
    if empty or not given or not all(given):
        return None
    if given == ["taxii2"]:
        return Address(DISCOVERY)
    route = _BY_WORDS.get((len(given) + 1, *given[1::2]))
    return None if route is None else Address(route, **dict(zip(_SLOTS[route], given[::2], strict=True)))
