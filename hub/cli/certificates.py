"""`threathub certificate`: which client certificates sign in as which account."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.options import DataOption, JsonOption, opened
from hub.cli.output import print_json, print_table, print_text, second
from hub.errors import BadRequest, NoSuchFile

if TYPE_CHECKING:
    from hub.access.certificates import Certificate

commands = typer.Typer(help="Client certificates that sign in.", no_args_is_help=True)


@commands.command("list")
def list_certificates(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the registered certificates: whose, and until when."""
    with opened(data) as hub:
        rows = [_row(one) for one in hub.certificates.all()]
    if as_json:
        print_json(rows)
    else:
        columns = ("fingerprint (SHA-256)", "user", "subject", "starts", "expires")
        print_table(columns, (tuple(row.values()) for row in rows), empty="No certificate signs in here.")


@commands.command("add")
def add_certificate(
    user: str,
    file: Annotated[Path, typer.Argument(help="The certificate in PEM or DER; never the key.")],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let an account sign in with a client certificate."""
    from hub.access.certificates import LARGEST

    try:
        content = file.read_bytes() if file.stat().st_size <= LARGEST else b""
    except OSError as error:
        raise NoSuchFile(f"{file} cannot be read: {error.strerror}") from None
    if b"PRIVATE KEY-----" in content:
        raise BadRequest(f"{file.name} holds a private key: the hub must never see it; give the certificate alone")
    with opened(data) as hub:
        added = hub.certificates.add(user, content)
    if as_json:
        print_json(_row(added))
    else:
        print_text(f"{added.subject} signs in as {user} until {second(added.expires)}: {added.fingerprint}")


@commands.command("remove")
def remove_certificate(
    fingerprint: Annotated[str, typer.Argument(help="Its SHA-256, with or without colons.")], data: DataOption = None
) -> None:
    """Forget a certificate; the next request with it is refused."""
    with opened(data) as hub:
        removed = hub.certificates.remove(fingerprint)
    print_text(f"{removed.subject} does not sign in as {removed.user} any more.")


def _row(one: Certificate) -> dict[str, str]:
    return {
        "fingerprint": one.fingerprint,
        "user": one.user,
        "subject": one.subject,
        "starts": second(one.starts),
        "expires": second(one.expires),
    }
