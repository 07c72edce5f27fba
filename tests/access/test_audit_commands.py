"""`threathub audit`, and what commands, posts and failed sign-ins leave there."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
import typer.main
from typer.testing import CliRunner

from hub.access.accounts import Accounts
from hub.access.audit import Audit
from hub.access.signin import SignIn
from hub.cli.audit import AUDITED
from hub.cli.main import app
from hub.errors import HubError, NotSignedIn
from hub.store.moving import Movable
from tests.stores import ABOUT_SQLITE, environment_of

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", autouse=True)
def _around() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THREATHUB_CACHE", str(ROOT / ".pytest_cache" / "threathub"))  # built once for all hubs
        yield
    structlog.reset_defaults()  # commands send them to what was standard error then


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audit") / "data"
    run(folder, "init")
    return folder


def run(data: Path, *words: str) -> str:
    done = CliRunner().invoke(app, [*words, "--data", str(data)], env=environment_of(data))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def entries(data: Path, *options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(data, "audit", "list", "--json", *options))
    return found


def test_commands_leave_entries_with_their_results(data: Path, tmp_path: Path) -> None:
    run(data, "org", "add", "acme", "--title", "Acme")
    password = run(data, "user", "add", "alice", "--org", "acme", "--role", "partner").split()[-1]
    run(data, "feed", "on", "ipsum")
    run(data, "export", "partner-indicators", "--as", "alice")
    with pytest.raises(HubError):
        run(data, "quarantine", "drop", "1", "2")
    run(data, "backup", str(tmp_path / "copy.db"))
    with pytest.raises(HubError):
        run(data, "feed", "off", "no-such-feed")
    found = [(one["action"], one["target"], one["result"]) for one in reversed(entries(data))]
    assert found[-7:] == [
        ("organisation.add", "acme", "done"),
        ("user.add", "alice", "done"),
        ("feed.on", "ipsum", "done"),
        ("export", "partner-indicators", "done"),
        ("quarantine.drop", "1 2", "not-found"),
        ("backup", str(tmp_path / "copy.db"), "done"),
        ("feed.off", "no-such-feed", "not-found"),
    ]
    (exported,) = entries(data, "--action", "export", "--result", "done")
    assert exported["details"] == {"form": "txt", "user": "alice"}
    assert exported["who"].startswith("local:")
    assert password not in json.dumps(entries(data, "--limit", "1000"))
    assert entries(data, "--since", "2999-01-01T00:00:00Z") == []
    assert "feed.on" in run(data, "audit", "list", "--target", "ipsum")
    assert entries(data, "--until", "2000-01-01T00:00:00Z") == []
    assert entries(data, "--from", "192.0.2.1") == []
    assert [one["action"] for one in entries(data, "--about", "ALICE")] == ["export", "user.add"]
    with pytest.raises(HubError):
        run(data, "audit", "list", "--until", "yesterday")


def test_the_first_and_the_last_day_of_a_hub_are_told(data: Path, tmp_path: Path) -> None:
    assert [one["target"] for one in entries(data, "--action", "init")] == ["admin"]
    with pytest.raises(HubError):
        run(data, "init")
    log = tmp_path / "one.txt"
    log.write_text("evil.example\n")
    run(data, "ingest", str(log))
    told = [(one["action"], one["result"]) for one in entries(data, "--limit", "2")]
    assert told == [("ingest", "done"), ("init", "conflict")]
    run(data, "backup", str(tmp_path / "copy.db"))
    run(tmp_path / "again", "restore", str(tmp_path / "copy.db"))
    (last,) = entries(tmp_path / "again", "--limit", "1")
    assert (last["action"], last["target"]) == ("restore", str(tmp_path / "copy.db"))
    run(tmp_path / "again", "audit", "verify")


def test_every_audited_command_is_there_and_has_the_parameters() -> None:
    found = set()
    top: Any = typer.main.get_command(app)
    for name, one in top.commands.items():
        for path, command in [(f"{name} {part}", two) for part, two in getattr(one, "commands", {}).items()] or [
            (name, one)
        ]:
            if path in AUDITED:
                found.add(path)
                assert set(AUDITED[path]) <= {parameter.name for parameter in command.params}, path
    assert found == set(AUDITED)


def test_verify_prints_a_head_that_later_ones_go_on_from(data: Path, tmp_path: Path) -> None:
    head = json.loads(run(data, "audit", "verify", "--json"))["head"]
    run(data, "feed", "off", "ipsum")
    assert head not in run(data, "audit", "verify", "--known", head)
    with pytest.raises(HubError, match="NUMBER:DIGEST"):
        run(data, "audit", "verify", "--known", "1:x")
    with pytest.raises(HubError, match="written down"):
        run(data, "audit", "verify", "--known", f"1:{'0' * 64}")
    with pytest.raises(HubError, match="--since"):
        run(data, "audit", "list", "--since", "yesterday")
    file = tmp_path / "audit.jsonl"
    run(data, "audit", "export", str(file))
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [one["number"] for one in lines] == list(range(1, len(lines) + 1))
    assert lines[-1]["action"] == "audit.export"
    assert lines[::-1] == entries(data, "--limit", "1000")
    with pytest.raises(HubError, match="there already"):
        run(data, "audit", "export", str(file))


@ABOUT_SQLITE
def test_tampering_ends_verify_with_status_74(tmp_path: Path) -> None:
    data = tmp_path / "data"
    run(data, "init")
    run(data, "feed", "on", "ipsum")
    with sqlite3.connect(data / "hub.db") as db:
        forged = "CAST(replace(CAST(value AS TEXT), 'feed.on', 'feed.no') AS BLOB)"
        changed = db.execute(
            f"UPDATE documents SET value = {forged} WHERE kind = 'audit' AND CAST(value AS TEXT) LIKE '%feed.on%'"
        )
        assert changed.rowcount == 1
    db.close()
    with pytest.raises(HubError, match="was changed") as caught:
        run(data, "audit", "verify")
    assert caught.value.exit_status == 74


def test_failed_sign_ins_leave_one_entry_for_each_address(accounts: Accounts, store: Movable) -> None:
    audit = Audit(store)
    before = audit.head().number
    signin = SignIn(accounts, audit)
    for number in range(300):
        with pytest.raises(NotSignedIn):
            signin.principal("Bearer secret-guess", f"192.0.2.{number % 3}")
    with pytest.raises(NotSignedIn):
        signin.principal(None, "192.0.2.9")
    told = list(audit.newest())[: audit.head().number - before]
    assert [(one.who, one.where, one.result) for one in reversed(told)] == [
        ("unknown", f"192.0.2.{number}", "not-signed-in") for number in range(3)
    ]
    for number in range(200):
        with pytest.raises(NotSignedIn):
            signin.principal("Bearer secret-guess", f"198.51.100.{number}")
    assert audit.head().number == before + 100
    assert "secret-guess" not in repr(list(audit.entries()))
