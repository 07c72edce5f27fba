"""The route table and the reading of paths agree."""

from __future__ import annotations

from hub.taxii.routes import ROUTES, read_path


def test_the_route_table_reads_its_own_paths() -> None:
    names = {"api_root": "r", "collection": "c", "object_id": "o", "status_id": "s"}
    for route in ROUTES:
        for path in (route.path.format(**names), route.path.format(**names).removesuffix("/")):
            address = read_path(path)
            assert address is not None
            assert address.route is route
            assert all(getattr(address, slot) == names[slot] for slot in route.slots)


def test_other_paths_are_none() -> None:
    for path in (
        "",
        "/",
        "hub/",
        "/hub/collections/c/objects/o/version/",
        "/hub/status/",
        "/taxii2/x/",
        "/a/b/c/d/e/f/g/",
    ):
        assert read_path(path) is None, path
