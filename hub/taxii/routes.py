"""The addresses of TAXII 2.1 (section 1.6.8 and the tables of sections 4 and 5): segments, methods, parameters."""

from __future__ import annotations

from dataclasses import dataclass

from hub.taxii import filters


@dataclass(frozen=True, slots=True)
class Route:
    """One kind of address.

    Attributes:
        name: in messages and page tokens. methods: that it defines. parameters: query parameters that it defines.
    """

    name: str
    methods: tuple[str, ...] = ("GET",)
    parameters: frozenset[str] = frozenset()

    @property
    def allow(self) -> str:
        """The ``Allow`` header: what is defined, and what comes with it."""
        return ", ".join((*self.methods, "HEAD", "OPTIONS"))


DISCOVERY = Route("discovery")
API_ROOT = Route("api root")
STATUS = Route("status")
COLLECTIONS = Route("collections")
COLLECTION = Route("collection")
MANIFEST = Route("manifest", parameters=filters.LISTED)
OBJECTS = Route("objects", ("GET", "POST"), filters.LISTED)
OBJECT = Route("object", ("GET", "DELETE"), filters.OBJECT)
VERSIONS = Route("versions", parameters=filters.VERSIONS)


@dataclass(frozen=True, slots=True)
class Address:
    """A path taken apart; what a route does not have is empty. ``collection`` is an id or an alias."""

    route: Route
    api_root: str = ""
    collection: str = ""
    object_id: str = ""


def read_path(path: str) -> Address | None:
    """Take a path apart, with or without its last slash; None when TAXII has no such address."""
    match path.removesuffix("/").split("/"):
        case ["", "taxii2"]:
            return Address(DISCOVERY)
        case ["", root]:
            return Address(API_ROOT, root)
        case ["", root, "status", _]:
            return Address(STATUS, root)
        case ["", root, "collections"]:
            return Address(COLLECTIONS, root)
        case ["", root, "collections", collection]:
            return Address(COLLECTION, root, collection)
        case ["", root, "collections", collection, "manifest"]:
            return Address(MANIFEST, root, collection)
        case ["", root, "collections", collection, "objects"]:
            return Address(OBJECTS, root, collection)
        case ["", root, "collections", collection, "objects", id]:
            return Address(OBJECT, root, collection, id)
        case ["", root, "collections", collection, "objects", id, "versions"]:
            return Address(VERSIONS, root, collection, id)
    return None
