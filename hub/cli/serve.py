"""`threathub init`, `serve`, `worker`, `workers`, `demo`: the programs that run a hub."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated

import typer

from hub.access.members import Organisation
from hub.cli.options import DataOption, JsonOption, opened
from hub.cli.output import print_json, print_rows, print_text
from hub.errors import Conflict
from hub.model import times
from hub.ops.board import read_board
from hub.ops.logs import configure_logs
from hub.settings import export_settings, load_settings

commands = typer.Typer()

PortOption = Annotated[int | None, typer.Option(min=1, max=65535, help="Port to listen on; default 8080.")]
HostOption = Annotated[str | None, typer.Option(help="Address to listen on; default 127.0.0.1.")]
CertificateOption = Annotated[Path | None, typer.Option(help="PEM file with the certificate chain; turns TLS on.")]
KeyOption = Annotated[Path | None, typer.Option(help="PEM file with the private key.")]
StoreOption = Annotated[
    str | None, typer.Option(help="Where the store is: sqlite:///path or https://host:9200/prefix.")
]


@commands.command()
def init(
    data: DataOption = None,
    store: StoreOption = None,
    admin: Annotated[str, typer.Option(help="Name of the first administrator.")] = "admin",
    as_json: JsonOption = False,
) -> None:
    """Make a new hub: its folder, its store, the city's organisation and the first administrator."""
    from hub.app import open_hub

    settings = load_settings(data=data, store=store)
    hub = open_hub(settings, create=True)
    try:
        if hub.accounts.home() is not None:
            raise Conflict(f"there is a hub in {settings.data} already")
        hub.accounts.add_organisation(Organisation(settings.organisation, settings.organisation_title, "city"))
        password = secrets.token_urlsafe(15)
        hub.accounts.add_user(admin, settings.organisation, "administrator", password)
        _, token = hub.accounts.add_token(admin, note="made by threathub init")
    finally:
        hub.close()
    if as_json:
        print_json({"data": str(settings.data), "user": admin, "password": password, "token": token})
        return
    print_text(f"There is a hub in {settings.data} now.\n")
    print_text(f"Administrator {admin}, shown only now:\n  password {password}\n  token    {token}\n")
    print_text(f"Start it: threathub serve --data {settings.data}")


@commands.command()
def serve(
    data: DataOption = None,
    host: HostOption = None,
    port: PortOption = None,
    tls_cert: CertificateOption = None,
    tls_key: KeyOption = None,
    store: StoreOption = None,
) -> None:
    """Run the web server and the background work until SIGTERM."""
    from hub.app import serve_hub

    settings = load_settings(data=data, host=host, port=port, tls_cert=tls_cert, tls_key=tls_key, store=store)
    configure_logs(settings.log_level, settings.log_format)
    serve_hub(settings)


@commands.command()
def worker(data: DataOption = None, store: StoreOption = None) -> None:
    """Run only the background work until SIGTERM, for `serve` with worker = false or beside others that share it."""
    from hub.app import background_work, open_hub

    settings = load_settings(data=data, store=store)
    export_settings(settings)
    open_hub(settings).close()
    background_work()


@commands.command()
def workers(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show who does the background work: each worker's machine, its last sign of life, and its pieces of the work."""
    with opened(data) as hub:
        seen, pieces = read_board(hub.store), hub.background.pieces()
    rows = [
        {
            "number": number,
            "worker": worker.nonce[:8],
            "host": worker.host,
            "pid": worker.pid,
            "since": times.format_timestamp(worker.since),
            "renewed": times.format_timestamp(seen.beats[number].at),
            "lease_seconds": worker.lease / times.SECOND,
            "pieces": sorted(piece for piece, holder in seen.board.holders.items() if holder == number),
        }
        for number, worker in sorted(seen.board.workers.items(), key=lambda one: int(one[0]))
    ]
    waiting = sorted(set(pieces) - set(seen.board.holders))
    if as_json:
        print_json({"workers": rows, "waiting": waiting})
        return
    print_rows(rows, as_json, "There is no worker: start `threathub serve` or `threathub worker`.")
    if waiting:
        print_text(f"Nobody does {', '.join(waiting)}.")


@commands.command()
def demo(
    data: DataOption = None,
    port: PortOption = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="File for addresses and accounts, mode 0600.")
    ] = None,
    tls_cert: CertificateOption = None,
    tls_key: KeyOption = None,
) -> None:
    """Run a whole hub on the sample data that ships with it: loopback only, accounts made for you."""
    from hub.demo import run_demo

    settings = load_settings(data=data, port=port, tls_cert=tls_cert, tls_key=tls_key)
    run_demo(settings, json_file)
