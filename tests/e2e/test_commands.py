"""Every command helps, and every command in the manual works as it stands there."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from hub.cli.main import app
from hub.store.moving import MARK
from hub.store.ports import Batch, DocumentWrite
from tests import forked
from tests.e2e.conftest import ROOT, environment, threathub, told
from tests.stores import address_of, on_elastic, settings_of, store_in

BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FOREVER = {"serve", "worker", "demo"}
FILE = re.compile(r"^sqlite:///(.*)/hub\.db$")
PLACEHOLDERS = {"ID", "FILE", "NAME", "USER", "LOG"}


def commands(group: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, one in group.commands.items():
        if hasattr(one, "commands"):
            yield from commands(one, (*words, name))
        else:
            yield (*words, name), one


def test_every_command_says_what_it_does() -> None:
    for words, one in commands(typer.main.get_command(app)):
        assert one.help, words
        if words[-1] not in FOREVER | {"restore"}:
            options = {option for parameter in one.params for option in parameter.opts}
            assert "--data" in options, words


@pytest.mark.parametrize("words", [("--help",), ("feed", "--help"), ("search", "--help"), ("--version",)])
def test_help_is_printed(words: tuple[str, ...]) -> None:
    done = threathub(*words)
    assert done.returncode == 0
    assert "threathub" in done.stdout


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hub") / "data"
    made = told("init", data=folder)
    assert made["user"] == "admin"
    assert made["token"].startswith("cth_")
    return folder


@pytest.mark.xdist_group("commands")
class TestAHubOfOnesOwn:
    """The administrator's first afternoon."""

    def test_a_second_init_is_refused(self, data: Path) -> None:
        assert threathub("init", data=data).returncode == 65

    def test_members_accounts_and_tokens(self, data: Path) -> None:
        assert threathub("org", "add", "acme", "--title", "Acme", data=data).returncode == 0
        assert told("user", "add", "alice", "--org", "acme", "--role", "partner", data=data)["password"]
        token = told("token", "add", "alice", "--read-only", "--days", "30", data=data)
        assert token["token"].startswith("cth_")
        [row] = [row for row in told("token", "list", data=data) if row["user"] == "alice"]
        assert (row["rights"], row["last_used"]) == ("read", None)
        assert threathub("token", "revoke", token["id"], data=data).returncode == 0
        seen = {row["name"] for row in told("collection", "list", "--user", "alice", data=data)}
        assert "partner-indicators" in seen
        assert "inbox" not in seen
        assert threathub("user", "remove", "alice", data=data).returncode == 0
        assert threathub("org", "remove", "acme", data=data).returncode == 0

    def test_a_store_is_moved_and_a_half_moved_one_is_not_used(self, data: Path, tmp_path: Path) -> None:
        one, two = tmp_path / "one", tmp_path / "two"
        one.mkdir()
        old, new = address_of(data), address_of(one)
        moved = told("migrate", old, new, data=data)
        assert moved["documents"] > 0
        assert [row["name"] for row in told("user", "list", data=one)] == ["admin"]
        [entry] = told("audit", "list", "--action", "migrate", data=one)
        assert (entry["target"], entry["details"], entry["result"]) == (new, {"from": old}, "done")
        told("audit", "verify", data=one)
        assert threathub("migrate", old, new, data=data).returncode == 65
        assert threathub("migrate", "sqlite:////nowhere.db", new, data=data).returncode == 66
        assert threathub("migrate", old, "nonsense", data=data).returncode == 78
        halfway = store_in(two)
        halfway.commit(Batch(documents=[DocumentWrite(*MARK, b"{}")]))
        halfway.close()
        done = threathub("user", "list", data=two)
        assert done.returncode == 78
        assert "migrate" in done.stderr

    def test_a_feed_is_off_until_it_is_turned_on(self, data: Path) -> None:
        assert not [row["name"] for row in told("feed", "list", data=data) if row["on"]]
        assert threathub("feed", "on", "ipsum", data=data).returncode == 0
        assert [row["name"] for row in told("feed", "list", data=data) if row["on"]] == ["ipsum"]
        assert threathub("feed", "off", "ipsum", data=data).returncode == 0

    def test_a_file_goes_in_once_and_comes_out_as_a_list(self, data: Path) -> None:
        path = ROOT / "demo" / "data" / "ipsum" / "ipsum_level5.txt"
        first = told("ingest", path, "--connector", "delimited", data=data)
        assert (first["fetched"], first["stored"]) == (1413, 1413)
        again = told("ingest", path, "--connector", "delimited", data=data)
        assert (again["fetched"], again["unchanged"]) == (1413, 1413)
        lines = threathub("export", "partner-indicators", data=data).stdout.splitlines()
        assert 500 < len(lines) < 1413
        assert "80.82.77.33" not in lines, "a scanner that a warning list knows is in no automatic list"
        bundle = json.loads(threathub("export", "partner-indicators", "--format", "stix", data=data).stdout)
        assert len(bundle["objects"]) == len(lines)
        counted = told("search", "kind:ipv4-addr", "--facets", "--histogram", "added", "--values", "1", data=data)
        assert (counted["total"], counted["facets"]["tlp"]["values"][0]["number"]) == (1413, 1413)
        assert sum(bar["number"] for bar in counted["histogram"]["bars"]) == 1413
        shown = threathub("search", "kind:ipv4-addr", "--facet", "warning", "--histogram", "created", data=data).stdout
        assert shown.startswith("1,413 objects\n")
        assert 'warning:"' in shown
        assert threathub("search", "x", "--facet", "colour", data=data).returncode == 2

    def test_a_log_goes_in_once(self, data: Path) -> None:
        log = ROOT / "demo" / "data" / "suricata" / "alerts-honeypot-2018.json"
        assert told("ingest", log, "--sensor", "honeypot-ids", data=data)["events"] == 44
        assert told("ingest", log, "--sensor", "honeypot-ids", data=data)["events"] == 0
        assert told("search", "type:sighting", data=data)["objects"]

    def test_what_was_refused_can_be_mended(self, data: Path, tmp_path: Path) -> None:
        path = tmp_path / "one.json"
        bad = {
            "type": "indicator",
            "spec_version": "2.1",
            "id": "indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
            "created": "2026-04-06T20:03:48.000Z",
            "modified": "2026-04-06T20:03:48.000Z",
            "pattern": "domain-name:value = 'mended.example'",
            "pattern_type": "stix",
            "valid_from": "2026-01-01T00:00:00Z",
        }
        path.write_text(json.dumps(bad))
        assert told("ingest", path, data=data)["quarantined"] == 1
        [row] = told("quarantine", "list", data=data)
        shown = told("quarantine", "show", row["id"], data=data)
        assert shown["second_opinion"].startswith("stix2 refuses it too")
        path.write_text(json.dumps(bad | {"pattern": f"[{bad['pattern']}]"}))
        assert threathub("quarantine", "replay", row["id"], "--file", path, data=data).returncode == 0
        assert told("quarantine", "list", data=data) == []
        assert len(told("search", "value:mended.example", data=data)["objects"]) == 1

    def test_a_backup_is_the_same_hub(self, data: Path, tmp_path: Path) -> None:
        assert threathub("backup", tmp_path / "copy.db", data=data).returncode == 0
        assert threathub("restore", tmp_path / "copy.db", data=tmp_path / "again").returncode == 0
        assert told("verify", data=tmp_path / "again") == told("verify", data=data)
        assert threathub("restore", tmp_path / "copy.db", data=data).returncode == 65

    def test_rules_and_settings_are_shown(self, data: Path) -> None:
        assert {row["id"] for row in told("rule", "list", data=data)} >= {"severe-alert", "honeypot-contact"}
        assert told("rule", "unmatched", data=data) == []
        assert told("config", "check", data=data)["ok"]
        rows = {row["name"]: row for row in told("config", "show", data=data)}
        assert rows["port"]["from"] == "default"


def manual_lines() -> list[tuple[str, str]]:
    """Return every threathub line of the manual with its page; lines that go on are joined."""
    found = []
    for page in PAGES:
        for block in BLOCK.findall(page.read_text()):
            for line in block.replace("\\\n", " ").splitlines():
                if line.startswith((".venv/bin/threathub ", "threathub ")):
                    found.append((str(page.relative_to(ROOT)), line))
    return found


@pytest.mark.xdist_group("demo")
def test_the_commands_of_the_manual_work(demo, tmp_path: Path) -> None:
    """In the order of the pages, on a copy of the demo and on the folder that the administrator's page makes."""
    lines = manual_lines()
    assert len(lines) > 10
    copy = tmp_path / "data"
    assert threathub("restore", _backup(demo.data, tmp_path), data=copy).returncode == 0
    (copy / "threathub.toml").write_text((demo.data / "threathub.toml").read_text())
    (tmp_path / "demo").symlink_to(ROOT / "demo")
    for page, line in lines:
        words = shlex.split(line)[1:]
        if words[0] in FOREVER:
            continue
        words = [str(copy) if word == "data" else word for word in words]
        if "--data" not in words:
            words += ["--data", str(copy)]
        if words[:2] == ["feed", "run"] or PLACEHOLDERS.intersection(words):
            continue  # it would fetch, or stands for something of the reader's own
        if on_elastic():
            words = [FILE.sub(lambda found: address_of(tmp_path / found[1]), word) for word in words]
        settings = settings_of(tmp_path / words[words.index("--data") + 1])
        done = forked.run(words, cwd=tmp_path, env=environment(**settings))
        assert done.returncode == 0, (page, line, done.stderr)


def _backup(data: Path, folder: Path) -> Path:
    file = folder / "backup.db"
    assert threathub("backup", file, data=data).returncode == 0
    return file
