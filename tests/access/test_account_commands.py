"""`threathub org`, `group`, `user` and `token` as an administrator uses them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
import typer.main
from click import BadParameter
from typer.testing import CliRunner

from hub.access.accounts import Accounts
from hub.access.signin import SignIn
from hub.cli.main import app
from hub.errors import BadRequest, Conflict, NotFound, NotSignedIn
from hub.model import times
from tests.access.test_signin import basic
from tests.stores import environment_of, store_in

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", autouse=True)
def _around() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THREATHUB_CACHE", str(ROOT / ".pytest_cache" / "threathub"))  # built once for all hubs
        yield
    structlog.reset_defaults()  # commands send them to what was standard error then


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("empty")
    run(folder, "init")
    run(folder, "backup", str(folder / "copy.db"))
    return folder / "copy.db"


@pytest.fixture
def data(tmp_path: Path, empty: Path) -> Path:
    run(tmp_path, "restore", str(empty))
    return tmp_path


@pytest.fixture
def accounts(data: Path) -> Iterator[Accounts]:
    store = store_in(data)
    yield Accounts(store)
    store.close()


def run(data: Path, *words: str, typed: str | None = None) -> str:
    done = CliRunner().invoke(app, [*words, "--data", str(data)], input=typed, env=environment_of(data))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    if done.exit_code == 2:
        raise BadParameter(done.output)
    assert done.exit_code == 0, done.output
    return done.stdout


def told(data: Path, *words: str) -> Any:
    return json.loads(run(data, *words, "--json"))


def test_members_come_change_and_go(data: Path) -> None:
    run(data, "group", "add", "water", "--title", "Water", "--sector")
    run(data, "org", "add", "acme", "--title", "Acme Ltd", "--group", "water")
    run(data, "org", "add", "lakeside", "--title", "Lakeside's hub", "--kind", "hub")
    run(data, "user", "add", "alice", "--org", "acme", "--role", "partner")
    changed = told(data, "org", "change", "acme", "--title", "Acme AG", "--kind", "federal", "--no-group", "water")
    assert changed == {"name": "acme", "title": "Acme AG", "kind": "federal", "groups": [], "disabled": False}
    shown = told(data, "org", "show", "acme")
    assert (shown["users"], shown["identity"], shown["named_in_receipts"]) == (["alice"], None, False)
    assert "Acme AG" in run(data, "org", "show", "acme")
    assert [row["name"] for row in told(data, "org", "list")] == ["acme", "city", "lakeside"]
    assert told(data, "org", "list", "--group", "water") == []
    with pytest.raises(BadParameter, match="department, partner, federal, hub"):
        run(data, "org", "add", "town", "--title", "Town", "--kind", "city")
    with pytest.raises(NotFound):
        run(data, "org", "show", "nobody")
    with pytest.raises(Conflict, match="users"):
        run(data, "org", "remove", "acme")
    run(data, "user", "remove", "alice")
    run(data, "org", "remove", "acme")
    with pytest.raises(Conflict, match="--again"):
        run(data, "org", "add", "acme", "--title", "Acme")
    run(data, "org", "add", "acme", "--title", "Acme", "--again")


def test_groups_have_members_and_do_not_vanish_while_something_is_shared_with_them(data: Path) -> None:
    own = data / "own" / "collections"
    own.mkdir(parents=True)
    declared = 'key = "shared"\nid = "0c2b7a0e-2c3f-4a53-9d53-7c1c1d0f5a11"\ntitle = "Shared"\nread = ["group:grid"]\n'
    (own / "shared.toml").write_text(declared)
    (data / "threathub.toml").write_text(f'feeds = "{own.parent}"\n')
    for name in ("power", "gas"):
        run(data, "org", "add", name, "--title", name)
    assert "shared is granted to group:grid, and there is none" in run(data, "collection", "list")
    run(data, "group", "add", "grid", "--title", "Grid", "--member", "power")
    assert told(data, "group", "list") == [
        {"name": "grid", "title": "Grid", "sector": False, "members": ["power"], "shared": ["collection shared"]}
    ]
    assert "there is none" not in run(data, "collection", "list")
    words = ("--add", "gas", "--remove", "power", "--title", "The grid", "--sector")
    changed = told(data, "group", "change", "grid", *words)
    assert (changed["members"], changed["title"], changed["sector"]) == (["gas"], "The grid", True)
    for wrong in (("group", "change", "grid", "--add", "nobody"), ("group", "show", "nothing")):
        with pytest.raises(NotFound):
            run(data, *wrong)
    with pytest.raises(Conflict, match="collection shared"):
        run(data, "group", "remove", "grid")
    (own / "shared.toml").write_text(declared.replace("group:grid", "role:partner"))
    with pytest.raises(Conflict, match="gas"):
        run(data, "group", "remove", "grid")
    run(data, "group", "change", "grid", "--remove", "gas")
    run(data, "group", "remove", "grid")
    assert told(data, "group", "list") == []


def test_accounts_are_changed_shut_out_and_let_in_again(data: Path, accounts: Accounts) -> None:
    run(data, "org", "add", "acme", "--title", "Acme")
    password = told(data, "user", "add", "alice", "--org", "acme", "--role", "partner")["password"]
    text = told(data, "token", "add", "alice")["token"]
    signin = SignIn(accounts)
    keys = (basic("alice", password), f"Bearer {text}")
    assert {signin.principal(key).role for key in keys} == {"partner"}
    assert told(data, "user", "change", "alice", "--role", "liaison")["role"] == "liaison"
    assert {signin.principal(key).role for key in keys} == {"liaison"}
    for shut, let in (("user", "alice"), ("org", "acme")):
        run(data, shut, "disable", let)
        for key in keys:
            with pytest.raises(NotSignedIn):
                signin.principal(key)
        run(data, shut, "enable", let)
        assert {signin.principal(key).user for key in keys} == {"alice"}
    with pytest.raises(BadRequest, match="city's own"):
        run(data, "user", "change", "alice", "--role", "senior-analyst")
    with pytest.raises(BadParameter, match="senior-analyst"):
        run(data, "user", "change", "alice", "--role", "boss")
    assert told(data, "user", "change", "alice", "--org", "city", "--role", "senior-analyst")["organisation"] == "city"
    assert [row["name"] for row in told(data, "user", "list", "--org", "city")] == ["admin", "alice"]


def test_passwords_are_made_typed_or_piped_in_and_never_an_argument(data: Path, accounts: Accounts) -> None:
    run(data, "org", "add", "acme", "--title", "Acme")
    signin = SignIn(accounts)
    typed = "correct horse battery"
    said = run(data, "user", "add", "alice", "--org", "acme", "--role", "partner", "--stdin", typed=f"{typed}\n")
    assert typed not in said
    assert signin.principal(basic("alice", typed)).user == "alice"
    said = run(data, "user", "password", "alice", "--prompt", typed="another long one\nanother long one\n")
    assert "another" not in said
    assert signin.principal(basic("alice", "another long one")).user == "alice"
    made = told(data, "user", "password", "alice")["password"]
    assert signin.principal(basic("alice", made)).user == "alice"
    for empty in ("", "\n", "short\n", "x" * 5000):
        with pytest.raises(BadRequest, match="12 to"):
            run(data, "user", "password", "alice", "--stdin", typed=empty)
    with pytest.raises(BadRequest, match="not both"):
        run(data, "user", "password", "alice", "--stdin", "--prompt")
    assert signin.principal(basic("alice", made)).user == "alice"
    run(data, "user", "password", "alice", "--none")
    with pytest.raises(NotSignedIn):
        signin.principal(basic("alice", made))


def test_no_command_takes_a_secret_as_an_argument() -> None:
    top: Any = typer.main.get_command(app)
    for name in ("user", "token"):
        for command in top.commands[name].commands.values():
            for parameter in command.params:
                if {"password", "prompt", "stdin", "secret"} & {parameter.name}:
                    assert parameter.is_flag, (command.name, parameter.name)


def test_a_token_is_made_narrow_shown_once_listed_and_revoked(data: Path, accounts: Accounts) -> None:
    run(data, "org", "add", "acme", "--title", "Acme")
    run(data, "user", "add", "alice", "--org", "acme", "--role", "partner")
    narrow = ("--collection", "sightings", "--right", "read", "--expires", "90d", "--network", "192.0.2.0/24")
    before = times.now()
    made = told(data, "token", "add", "alice", *narrow, "--note", "SIEM")
    kept = accounts.token(made["id"])
    assert kept is not None
    assert kept[0].expires is not None
    assert before + 90 * times.DAY <= kept[0].expires <= times.now() + 90 * times.DAY
    assert (kept[0].collections, kept[0].rights, kept[0].networks) == (("sightings",), ("read",), ("192.0.2.0/24",))
    secret = made["token"].split("_", 2)[2]
    shown = told(data, "token", "show", made["id"])
    assert shown == {name: value for name, value in made.items() if name != "token"}
    assert (shown["note"], shown["expired"], shown["last_used"], shown["last_from"]) == ("SIEM", False, None, None)
    SignIn(accounts).principal(f"Bearer {made['token']}", "192.0.2.44")
    assert told(data, "token", "show", made["id"])["last_from"] == "192.0.2.44"
    for words in (("list",), ("list", "--json"), ("show", made["id"])):
        printed = run(data, "token", *words)
        assert made["id"] in printed
        assert secret not in printed
    assert [row["id"] for row in told(data, "token", "list", "--user", "alice")] == [made["id"]]
    assert told(data, "token", "list", "--user", "nobody") == []
    run(data, "token", "revoke", made["token"])
    with pytest.raises(NotSignedIn):
        SignIn(accounts).principal(f"Bearer {made['token']}", "192.0.2.44")
    with pytest.raises(NotFound):
        run(data, "token", "show", made["id"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--collection", "evidence"), "neither read nor write"),
        (("--collection", "no-such"), "no collection"),
        (("--network", "192.0.2.7/24"), "host bits"),
        (("--right", "admin"), "neither read nor write"),
        (("--expires", "soon"), "no day"),
        (("--expires", "2020-01-31"), "over already"),
        (("--note", "a\nb"), "one line"),
    ],
)
def test_a_token_that_cannot_work_is_not_made(data: Path, words: tuple[str, ...], said: str) -> None:
    run(data, "org", "add", "acme", "--title", "Acme")
    run(data, "user", "add", "alice", "--org", "acme", "--role", "partner")
    with pytest.raises((BadRequest, NotFound, BadParameter), match=said):
        run(data, "token", "add", "alice", *words)
    assert told(data, "token", "list", "--user", "alice") == []


def test_every_change_is_in_the_audit_log_by_name(data: Path) -> None:
    run(data, "group", "add", "grid", "--title", "Grid")
    run(data, "org", "add", "acme", "--title", "Acme")
    run(data, "group", "change", "grid", "--add", "acme")
    run(data, "org", "disable", "acme")
    run(data, "group", "change", "grid", "--remove", "acme", "--title", "Old grid")
    run(data, "group", "remove", "grid")
    found = [(one["action"], one["target"]) for one in reversed(told(data, "audit", "list"))]
    assert found[-7:] == [
        ("group.add", "grid"),
        ("organisation.add", "acme"),
        ("organisation.change", "acme"),
        ("organisation.change", "acme"),
        ("group.change", "grid"),
        ("organisation.change", "acme"),
        ("group.remove", "grid"),
    ]
