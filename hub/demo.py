"""The demo: a whole hub on the data that ships in ``demo/``, through the real path, in under a minute and a half.

Everything that goes in goes in as it would in a city: feeds by their connectors, logs by their sensors' formats, a
neighbour city's hub over TAXII. Accounts are made once and kept beside the store, because a demo is no secret.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import ssl
import subprocess
import sys
import threading
import time
import tomllib
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from connectors.feeds import Feed
from hub.access.accounts import Group, Organisation
from hub.access.principal import Role
from hub.app import SHIPPED, Hub, make_folder, open_hub, serve_hub
from hub.errors import InternalError, NoSuchFile, SourceUnreachable
from hub.model import times
from hub.ops.serving import check_front
from hub.settings import FILE_NAME, Settings, load_settings

FOLDER = SHIPPED / "demo"
ACCOUNTS_FILE = "demo-accounts.json"
NEIGHBOUR = "neighbour"
_START_SECONDS = 90
_UNCHECKED = ssl._create_unverified_context()  # noqa: S323 - only asks our own process whether it is up

_GROUPS = (Group("utilities", "Utilities", sector=True),)
_MEMBERS = (
    Organisation("acme-water", "Acme Water Ltd", "partner", ("utilities",)),
    Organisation("harbour-bank", "Harbour Bank", "partner"),
    Organisation("federal-liaison", "Federal Cyber Liaison", "federal"),
    Organisation("riverside-hub", "Riverside County's hub", "hub"),
)
_PEOPLE: tuple[tuple[str, str, Role], ...] = (
    ("analyst", "city", "analyst"),
    ("senior", "city", "senior-analyst"),
    ("partner", "acme-water", "partner"),
    ("partner2", "harbour-bank", "partner"),
    ("liaison", "federal-liaison", "liaison"),
    ("other-hub", "riverside-hub", "partner"),
    ("admin", "city", "administrator"),
)


@dataclass(frozen=True)
class Account:
    """One of the demo's accounts, with its secrets."""

    user: str
    password: str
    token: str
    role: str
    organisation: str


def run_demo(settings: Settings, json_file: Path | None) -> None:
    """Fill a hub with the sample data (again: go on with it), print where it is, and serve it until told to stop.

    Args:
        settings: data folder, port and TLS files are kept, the rest is the demo's own.
        json_file: gets addresses and accounts, readable by its owner only, or None.

    Raises:
        AddressInUse: the port is taken.
        NoSuchFile: the folder of ``json_file`` is not there, or the data folder cannot be made.
    """
    check_front("127.0.0.1", settings.port, None)
    if json_file is not None and not json_file.parent.is_dir():
        raise NoSuchFile(f"{json_file} cannot be written: there is no folder {json_file.parent}")
    make_folder(settings.data)
    (settings.data / FILE_NAME).write_text(
        "# Written by threathub demo, so that other commands on this folder know the demo's city.\n"
        f"assets = {json.dumps(str(FOLDER / 'assets.toml'))}\nfeeds = {json.dumps(str(FOLDER / 'feeds'))}\n"
        "limit_requests = 0\nlimit_organisation = 0\nlimit_refused = 0\nlimit_posted = 0\n"
        'sighting_minutes = 0\nlog_level = "warning"\ntrusted_organisations = ["federal-liaison"]\n'
    )
    settings = load_settings(
        data=settings.data, port=settings.port, tls_cert=settings.tls_cert, tls_key=settings.tls_key, host="127.0.0.1"
    )
    hub = open_hub(settings, create=True)
    try:
        accounts = _accounts(hub)
        _fill(hub)
        told = _told(hub, settings, accounts)
        examples = _examples(hub, settings, accounts)
    finally:
        hub.close()
    watch = threading.Thread(target=_announce, args=(told, json_file, examples), daemon=True)
    watch.start()
    serve_hub(settings)


def _accounts(hub: Hub) -> list[Account]:
    """Return the demo's accounts; those of an earlier start keep their secrets."""
    kept = hub.settings.data / ACCOUNTS_FILE
    known: dict[str, Account] = {}
    if hub.accounts.home() is None:
        hub.accounts.add_organisation(Organisation("city", hub.settings.organisation_title, "city"))
    elif kept.is_file():
        known = {row["user"]: Account(**row) for row in json.loads(kept.read_text())}
    for group in _GROUPS:
        if hub.accounts.group(group.name) is None:
            hub.accounts.add_group(group)
    for member in _MEMBERS:
        if hub.accounts.organisation(member.name) is None:
            hub.accounts.add_organisation(member)
    accounts = [known.get(name) or _new_account(hub, name, of, role) for name, of, role in _PEOPLE]
    write_private(kept, [asdict(account) for account in accounts])
    return accounts


def _new_account(hub: Hub, name: str, organisation: str, role: Role) -> Account:
    password = secrets.token_urlsafe(15)
    if hub.accounts.user(name) is None:
        hub.accounts.add_user(name, organisation, role, password)
    else:
        hub.accounts.set_password(name, password)
    return Account(name, password, hub.accounts.add_token(name, note="demo")[1], role, organisation)


def write_private(file: Path, value: Any) -> None:
    """Write JSON that only the file's owner may read, whole or not at all."""
    draft = file.with_name(f".{file.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        json.dump(value, stream, indent=2)
        stream.write("\n")
    draft.replace(file)


def _fill(hub: Hub) -> None:
    logs = tomllib.loads((FOLDER / "logs.toml").read_text())["log"]
    feeds = [feed for feed in hub.feeds.values() if feed.folder == FOLDER / "feeds" / "sources"]
    columns = (TextColumn("{task.description:<44}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("Filling the hub", total=len(feeds) + len(logs) + 2)
        for feed in feeds:
            progress.update(task, description=f"Feed: {feed.title}")
            _must_succeed(hub, feed)
            progress.advance(task)
        progress.update(task, description="TAXII pull from the neighbour city's hub")
        _pull_from_neighbour(hub)
        progress.advance(task)
        for log in logs:
            progress.update(task, description=f"Sensor: {log['sensor']} ({Path(log['path']).name})")
            hub.ingest_log(FOLDER / log["path"], log["sensor"])
            progress.advance(task)
        progress.update(task, description="Sightings and the city's own indicators")
        hub.correlation.settle(force=True)
        progress.update(task, advance=1, description="The hub is filled")


def _must_succeed(hub: Hub, feed: Feed, secrets: Mapping[str, str] | None = None) -> None:
    status = hub.run_feed(feed, secrets=secrets)
    if status.consecutive_failures:
        raise SourceUnreachable(f"the demo's feed {feed.name} failed: {status.last_error}")


def _pull_from_neighbour(hub: Hub) -> None:
    """Start another city's hub in a process of its own, pull its indicators with the TAXII connector, and stop it."""
    folder = hub.settings.data / NEIGHBOUR
    settings = Settings(
        data=folder,
        store=f"sqlite:///{folder / 'hub.db'}",  # whatever the environment says of this hub's
        port=_free_port(),
        organisation="lakeside",
        organisation_title="Lakeside SOC",
        worker=False,
    )
    neighbour = open_hub(settings, create=True)
    try:
        if neighbour.accounts.home() is None:
            neighbour.accounts.add_organisation(Organisation("lakeside", "Lakeside SOC", "city"))
        if neighbour.accounts.organisation("city") is None:
            neighbour.accounts.add_organisation(Organisation("city", "the demo city", "hub"))
        if neighbour.accounts.user("city-hub") is None:
            neighbour.accounts.add_user("city-hub", "city", "partner")
        token = neighbour.accounts.add_token(
            "city-hub",
            note="the demo city's pull",
            rights=("read",),
            collections=("city-indicators",),
            networks=("127.0.0.0/8",),
            expires=times.now() + times.HOUR,
        )[1]
        neighbour.run_feed(_declared("lakeside-own", "stix", "city-indicators", {"path": str(FOLDER / "data" / "mvt")}))
        collection = neighbour.collections["city-indicators"].id
    finally:
        neighbour.close()
    with _served(settings) as base_url:
        feed = _declared(
            "lakeside-hub",
            "taxii",
            "partner-indicators",
            {"url": f"{base_url}/hub/collections/{collection}/", "token": "secret:neighbour"},
        )
        _must_succeed(hub, feed, {"neighbour": token})


def _declared(name: str, connector: str, collection: str, settings: dict[str, Any]) -> Feed:
    return Feed(
        name=name,
        folder=FOLDER,
        title="Lakeside's indicators",
        connector=connector,
        organisation="lakeside",
        collections=(collection,),
        licence="MIT",
        revised=date(2026, 11, 23),
        trust=70,
        allow_networks=(IPv4Network("127.0.0.0/8"),),
        settings=settings,
    )


@contextmanager
def _served(settings: Settings) -> Iterator[str]:
    """Serve a hub in a process of its own for the length of a ``with`` block; give its address."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("THREATHUB_")}
    environment |= {
        "THREATHUB_WORKER": "false",
        "THREATHUB_ORGANISATION": settings.organisation,
        "THREATHUB_LOG_LEVEL": "warning",
    }
    command = [sys.executable, "-m", "hub.cli", "serve", "--data", str(settings.data), "--port", str(settings.port)]
    process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)  # noqa: S603 - our own program
    try:
        base_url = f"http://127.0.0.1:{settings.port}"
        if not _answers(f"{base_url}/readyz"):
            raise InternalError("the neighbour's hub did not start")
        yield base_url
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(url: str) -> bool:
    """Wait until an address answers, for a minute and a half at most: the machine may be busy."""
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(url, timeout=10, context=_UNCHECKED) as answer:  # noqa: S310 - our own loopback
                return bool(answer.status == 200)
        except OSError:
            time.sleep(0.1)
    return False


def _told(hub: Hub, settings: Settings, accounts: list[Account]) -> dict[str, Any]:
    """Return what programs are told of the demo: addresses, collections as the liaison sees them, accounts."""
    base_url = f"{'https' if settings.tls_cert else 'http'}://127.0.0.1:{settings.port}"
    liaison = next(account for account in accounts if account.role == "liaison")
    principal = hub.principal(liaison.user)
    return {
        "base_url": base_url,
        "discovery_url": f"{base_url}/taxii2/",
        "api_roots": [f"{base_url}/hub/"],
        "collections": [
            {
                "name": one.key,
                "id": one.id,
                "can_read": hub.collections.may_read(principal, one),
                "can_write": hub.collections.may_write(principal, one),
            }
            for one in hub.collections.visible(principal)
            if one.taxii
        ],
        "accounts": [asdict(account) for account in accounts],
    }


def _examples(hub: Hub, settings: Settings, accounts: list[Account]) -> str:
    base_url = f"{'https' if settings.tls_cert else 'http'}://127.0.0.1:{settings.port}"
    partner = next(account for account in accounts if account.role == "partner")
    objects = f"{base_url}/hub/collections/{hub.collections['partner-indicators'].id}/objects/"
    rows = "\n".join(f"  {one.role:<14} {one.user:<10} {one.password}   {one.organisation}" for one in accounts)
    return f"""
City Threat Hub is running: {base_url}   (TAXII 2.1: {base_url}/taxii2/)

  role           user       password               organisation
{rows}

  Tokens are in {settings.data / ACCOUNTS_FILE}. Three things to try:

  curl -u {partner.user}:{partner.password} -H 'Accept: application/taxii+json;version=2.1' '{objects}?limit=2'

  .venv/bin/python -c "from taxii2client.v21 import Server; print(
    [one.title for one in Server('{base_url}/taxii2/',
     user='{partner.user}', password='{partner.password}').default.collections])"

  .venv/bin/threathub search 'type:indicator AND value:184.105.*' --data {settings.data}

Stop it with Ctrl-C; `make run` goes on with the same data.
"""


def _announce(told: dict[str, Any], json_file: Path | None, examples: str) -> None:
    if not _answers(f"{told['base_url']}/readyz"):
        return
    if json_file is not None:
        write_private(json_file, told)
    sys.stdout.write(examples)
    sys.stdout.flush()
