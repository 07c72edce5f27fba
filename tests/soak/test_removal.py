"""What the soak found: the same removal asked twice at once, where the hub publishes, took versions away for good."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest

from hub.store.ports import HUB, PageQuery, Versions
from tests.soak.inside import take
from tests.soak.running import PUBLISHED, opened, prepare
from tests.soak.script import step

WRITER = "leo"


def test_a_removal_that_overtakes_another_takes_nothing_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = prepare(tmp_path)
    hub = opened(prepared.data, prepared.settings["feeds"])
    number = next(n for n in range(2, 50, 2) if step(WRITER, n).puts)
    put = step(WRITER, number).puts[0]
    assert take(hub, WRITER, step(WRITER, number)) == {"stored"}
    application, read = hub.application(), hub.store.read_manifest

    def read_and_be_overtaken(*given: Any) -> Any:
        page = read(*given)
        hub.publication.retraction.retract(PUBLISHED, [put.obj["id"]])
        return page

    monkeypatch.setattr(hub.store, "read_manifest", read_and_be_overtaken)
    environ: dict[str, Any] = {"REQUEST_METHOD": "DELETE", "REMOTE_ADDR": "127.0.0.1"}
    environ["PATH_INFO"] = f"/hub/collections/{PUBLISHED}/objects/{put.obj['id']}/"
    environ["HTTP_AUTHORIZATION"] = f"Bearer {prepared.tokens[WRITER]}"
    setup_testing_defaults(environ)
    statuses: list[str] = []
    start: Any = lambda status, *_: statuses.append(status)  # noqa: E731
    b"".join(application(environ, start))
    assert statuses == ["200 OK"]
    query = PageQuery(PUBLISHED, ids=frozenset((put.obj["id"],)), versions=Versions(all=True))
    versions = json.loads(b"[%b]" % hub.store.read_objects(HUB, query).joined)
    hub.close()
    assert [one.get("revoked", False) for one in versions] == [False, True]
    assert versions[0] == put.obj
