"""Bad input and bad weather: one clear message that says what to do, a stable code, and nothing accepted is lost."""

from __future__ import annotations

import base64
import gzip
import json
import resource
import socket
import sqlite3
import subprocess
import urllib.error
import urllib.request
from email.message import Message
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT, Demo, command, environment, free_port, threathub, told
from tests.stores import ABOUT_SQLITE, settings_of

pytestmark = pytest.mark.xdist_group("bad-input")

GOOD = {
    "type": "indicator",
    "spec_version": "2.1",
    "id": "indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
    "created": "2026-04-06T20:03:48.000Z",
    "modified": "2026-04-06T20:03:48.000Z",
    "pattern": "[domain-name:value = 'kept.example']",
    "pattern_type": "stix",
    "valid_from": "2026-01-01T00:00:00Z",
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh hub that holds one indicator."""
    folder = tmp_path_factory.mktemp("hub") / "data"
    assert threathub("init", data=folder).returncode == 0
    good = folder.parent / "good.json"
    good.write_text(json.dumps(GOOD))
    assert told("ingest", good, data=folder)["stored"] == 1
    return folder


@pytest.fixture(autouse=True)
def nothing_is_lost(data: Path):
    yield
    assert len(told("search", "value:kept.example", data=data)["objects"]) == 1


def refused(done: subprocess.CompletedProcess[str], code: str, status: int, *words: str) -> None:
    """One line, the stable code, the exit status, and the words that tell what to do; no traceback, no path of ours."""
    assert done.returncode == status, (done.returncode, done.stderr)
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].endswith(f"[{code}]")
    for word in words:
        assert word in lines[0]
    assert "Traceback" not in done.stderr
    assert str(ROOT) not in done.stderr


def files(folder: Path) -> dict[str, bytes]:
    bundle = json.dumps({"type": "bundle", "id": f"bundle--{GOOD['id'][11:]}", "objects": [GOOD, GOOD]})
    return {
        "truncated.json": bundle[:-40].encode(),
        "html.json": b"<!DOCTYPE html><html><body>Sign in to continue</body></html>",
        "utf16.json": bundle.encode("utf-16"),
        "truncated.json.gz": gzip.compress(bundle.encode() * 50)[:-40],
        "empty.json": b"",
    }


@pytest.mark.parametrize("name", list(files(Path())))
def test_a_file_that_is_something_else(data: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(files(tmp_path)[name])
    done = threathub("ingest", path, data=data)
    refused(done, "not-that-format", 65, name.removesuffix(".gz"))


def test_deep_json_in_a_file(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "deep.json"
    path.write_text("[" * 100_000 + "]" * 100_000)
    assert told("ingest", path, data=data)["quarantined"] == 1
    [row] = [row for row in told("quarantine", "list", data=data) if "deep.json" in row["place"]]
    assert row["reason"] in ("too-deep", "bad-json", "not-an-object")


def test_one_bad_object_costs_its_neighbours_nothing(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "mixed.json"
    deep = '{"type":"indicator","x":' + "[" * 500 + "]" * 500 + "}"
    objects = [json.dumps(GOOD), '{"type":"indicator","id":"nonsense"}', deep, '{"a":1,"a":2}', "17"]
    path.write_text('{"type":"bundle","objects":[' + ",".join(objects) + "]}")
    counts = told("ingest", path, data=data)
    assert (counts["fetched"], counts["unchanged"], counts["quarantined"]) == (5, 1, 4)
    reasons = {row["reason"] for row in told("quarantine", "list", data=data)}
    assert {"too-deep", "duplicate-name", "not-an-object"} <= reasons


def _bounded(data: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command that may not use more than a gigabyte of address space."""
    limit = 1 << 30
    return subprocess.run(
        command(*words, "--data", data),
        capture_output=True,
        text=True,
        timeout=120,
        env=environment(**settings_of(data)),
        cwd=ROOT,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )


def test_a_gzip_bomb_and_a_line_of_200_megabytes_fit_into_bounded_memory(data: Path, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.json.gz"
    with gzip.open(bomb, "wb", compresslevel=9) as stream:
        for _ in range(400):
            stream.write(b" " * (1 << 20))
    done = _bounded(data, "ingest", bomb)
    refused(done, "not-that-format", 65)
    long = tmp_path / "long.txt"
    with long.open("wb") as plain:
        for _ in range(200):
            plain.write(b"a" * (1 << 20))
        plain.write(b"\nlong-line-neighbour.example\n")
    done = _bounded(data, "ingest", long, "--connector", "delimited", "--json")
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    assert (counts["stored"], counts["quarantined"]) == (1, 1)
    log = tmp_path / "eve.json"
    line = '{"timestamp":"2026-01-01T00:00:00Z","event_type":"flow","src_ip":"192.0.2.1","dest_ip":"192.0.2.2"}\n'
    with log.open("w") as eve:
        eve.write(line)
        eve.write('{"timestamp":"' + "a" * (50 << 20) + '"}\n')
        eve.write(line.replace("192.0.2.1", "192.0.2.3"))
    done = _bounded(data, "ingest", log, "--sensor", "perimeter-ids", "--json")
    assert done.returncode == 0, done.stderr
    assert (json.loads(done.stdout)["events"], json.loads(done.stdout)["quarantined"]) == (2, 1)


@ABOUT_SQLITE
def test_a_full_disk(data: Path, tmp_path: Path) -> None:
    many = tmp_path / "many.txt"
    many.write_text("".join(f"198.51.{n >> 8}.{n & 255}\n" for n in range(60_000)))
    size = sum(file.stat().st_size for file in data.glob("hub.db*")) + (1 << 20)
    done = subprocess.run(
        command("ingest", many, "--connector", "delimited", "--data", data),
        capture_output=True,
        text=True,
        timeout=120,
        env=environment(),
        cwd=ROOT,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
    )
    assert done.returncode == 74
    assert "room" in done.stderr or "full" in done.stderr
    assert "Traceback" not in done.stderr
    assert told("verify", data=data)["ok"]


@ABOUT_SQLITE
def test_a_locked_database(data: Path) -> None:
    holder = sqlite3.connect(data / "hub.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        done = threathub("user", "password", "admin", data=data, store_patience="1")
        refused(done, "store-unavailable", 75, "again")
    finally:
        holder.execute("ROLLBACK")
        holder.close()


@ABOUT_SQLITE
@pytest.mark.parametrize(
    ("content", "code", "status"),
    [(b"This is not a database, but a text file.\n" * 2000, "store-corrupt", 74), (None, "store-version", 78)],
)
def test_a_file_that_is_no_store_of_ours(tmp_path: Path, content: bytes | None, code: str, status: int) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    if content is None:
        other = sqlite3.connect(folder / "hub.db")
        other.execute("CREATE TABLE recipes (name TEXT)")
        other.commit()
        other.close()
    else:
        (folder / "hub.db").write_bytes(content)
    refused(threathub("search", "x", data=folder), code, status)


@ABOUT_SQLITE
def test_a_damaged_store(data: Path, tmp_path: Path) -> None:
    copy = tmp_path / "data"
    copy.mkdir()
    assert threathub("backup", copy / "hub.db", data=data).returncode == 0
    with (copy / "hub.db").open("r+b") as file:
        for page in range(1, file.seek(0, 2) // 16384):
            file.seek(page * 16384)
            file.write(b"\xff" * 16384)
    done = threathub("search", "value:kept.example", data=copy)
    refused(done, "store-corrupt", 74, "backup")
    assert threathub("verify", data=copy).returncode == 74


def test_a_taken_port(data: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        refused(threathub("serve", "--port", port, data=data), "address-in-use", 78, port, "--port")


def test_unknown_settings_are_refused(data: Path, tmp_path: Path) -> None:
    refused(threathub("config", "check", data=data, prot="1"), "bad-settings", 78, "THREATHUB_PROT")
    refused(threathub("config", "check", data=data, port="99999"), "bad-settings", 78, "port")
    (tmp_path / "threathub.toml").write_text('titel = "x"\n')
    refused(threathub("config", "check", data=tmp_path), "bad-settings", 78, "titel")
    (tmp_path / "threathub.toml").write_text("title = = 1\n")
    refused(threathub("config", "check", data=tmp_path), "bad-settings", 78, "TOML")


def test_what_is_not_there(data: Path, tmp_path: Path) -> None:
    refused(threathub("search", "x", data=tmp_path / "nowhere"), "no-such-file", 66, "threathub init")
    refused(threathub("ingest", tmp_path / "nothing.json", data=data), "no-such-file", 66)
    refused(threathub("feed", "run", "nosuch", data=data), "not-found", 66, "feed list")
    refused(threathub("match", ROOT / "README.md", "--sensor", "nosuch", data=data), "not-found", 66)
    refused(threathub("match", ROOT / "README.md", "--sensor", "suricata", data=data), "not-that-format", 65)
    refused(threathub("export", "nosuch", data=data), "not-found", 66)
    refused(threathub("token", "add", "nobody", data=data), "not-found", 66)


def test_a_folder_or_a_certificate_that_is_not_there_is_said_before_work_begins(data: Path, tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    refused(threathub("config", "check", data=data, feeds=str(missing)), "bad-settings", 78, "feeds", "missing")
    refused(threathub("config", "check", data=data, rules=str(missing)), "bad-settings", 78, "rules", "missing")
    refused(threathub("backup", missing / "copy.db", data=data), "no-such-file", 66, "folder")
    refused(threathub("ingest", tmp_path, "--collection", "nosuch", data=data), "not-found", 66, "collection list")
    no_pem = tmp_path / "cert.pem"
    no_pem.write_text("not a certificate")
    port = str(free_port())
    done = threathub("serve", "--port", port, "--tls-cert", no_pem, "--tls-key", no_pem, data=data)
    refused(done, "bad-settings", 78, "cert.pem")
    done = threathub("demo", "--port", port, "--json", missing / "demo.json", data=tmp_path / "demo")
    refused(done, "no-such-file", 66, "folder")


def test_a_backup_that_is_not_sound_leaves_no_hub_behind(data: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    assert threathub("backup", copy, data=data).returncode == 0
    with copy.open("r+b") as file:
        for page in range(1, file.seek(0, 2) // 16384):
            file.seek(page * 16384)
            file.write(b"\xff" * 16384)
    done = threathub("restore", copy, data=tmp_path / "restored")
    assert done.returncode == 74
    assert not list((tmp_path / "restored").glob("hub.*"))


def test_a_query_that_cannot_be_read(data: Path) -> None:
    refused(threathub("search", "colour:red", data=data), "bad-query", 64, "colour")
    refused(threathub("search", "(" * 500, data=data), "bad-query", 64)
    refused(threathub("search", "value:*mid*", data=data), "bad-query", 64)


def lowered(headers: Message) -> dict[str, str]:
    return {name.lower(): ", ".join(headers.get_all(name, ())) for name in headers}


class TestOverHttp:
    """The same over HTTP, against the running demo."""

    pytestmark = pytest.mark.xdist_group("demo")

    def ask(
        self, demo: Demo, path: str, *, body: bytes | None = None, authorization: str | None = None
    ) -> tuple[int, dict[str, str], dict[str, str]]:
        request = urllib.request.Request(demo.told["base_url"] + path, data=body)
        request.add_header("Accept", "application/taxii+json;version=2.1")
        if body is not None:
            request.add_header("Content-Type", "application/taxii+json;version=2.1")
        if authorization:
            request.add_header("Authorization", authorization)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, lowered(answer.headers), json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, lowered(error.headers), json.loads(error.read())

    @pytest.mark.parametrize("authorization", [None, "Bearer cth_wrong", "Basic bm9ib2R5Ondyb25n", "Basic %%%"])
    def test_a_wrong_token(self, demo: Demo, authorization: str | None) -> None:
        status, headers, error = self.ask(demo, "/taxii2/", authorization=authorization)
        assert status == 401
        assert "Basic" in headers["www-authenticate"]
        assert headers["content-type"].startswith("application/taxii+json")
        assert error["error_code"] == "not-signed-in"

    @pytest.mark.parametrize(
        ("body", "status"),
        [(b"[" * 100_000, 422), (b"<html>", 422), (b'{"objects":17}', 422), (b'{"objects":[{"a":NaN}]}', 422)],
    )
    def test_a_body_that_is_no_envelope(self, demo: Demo, body: bytes, status: int) -> None:
        liaison = demo.account("liaison")
        secret = base64.b64encode(f"liaison:{liaison['password']}".encode()).decode()
        path = "/hub/collections/inbox/objects/"
        found, headers, error = self.ask(demo, path, body=body, authorization=f"Basic {secret}")
        assert (found, error["http_status"]) == (status, str(status))
        assert "Traceback" not in json.dumps(error)
        assert headers["x-request-id"]

    def test_no_secret_is_in_what_the_demo_printed_beside_its_own_announcement(self, demo: Demo) -> None:
        announced, *rest = demo.printed.read_text().split("Stop it with Ctrl-C")
        assert not [one for one in demo.told["accounts"] if one["token"] in announced]
        assert not [one for one in demo.told["accounts"] for text in rest if one["password"] in text]
