"""`threathub token`: keys for programs, as narrow as their work."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.access.principal import RIGHTS, Right
from hub.access.tokens import TOKEN_MARK, Token
from hub.cli.options import DataOption, JsonOption, opened
from hub.cli.output import print_details, print_json, print_rows, print_text, second
from hub.errors import BadRequest, NotFound
from hub.model import times
from hub.publish.advisories import end_of_day

if TYPE_CHECKING:
    from hub.app import Hub

commands = typer.Typer(help="API tokens.", no_args_is_help=True)

_LISTED = ("id", "user", "note", "rights", "collections", "networks", "expires", "last_used")
_SPAN = re.compile(r"([1-9]\d{0,4})([hdw])", re.ASCII)
_UNITS = {"h": times.HOUR, "d": times.DAY, "w": 7 * times.DAY}


@commands.command("list")
def list_tokens(
    user: Annotated[str, typer.Option(help="Only those of this account.")] = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the tokens: whose, what for, last use; never the secret itself."""
    with opened(data) as hub:
        rows = [_row(token) for token in hub.accounts.tokens() if user in ("", token.user)]
    if not as_json:
        rows = [{name: row[name] for name in _LISTED} for row in rows]
    print_rows(rows, as_json, "There are no such tokens: threathub token add USER")


@commands.command("show")
def show_token(id: str, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show a token: whose, what for, last use; never the secret itself."""
    with opened(data) as hub:
        found = hub.accounts.token(_public(id))
    if found is None:
        raise NotFound(f"there is no token {id}")
    print_details(_row(found[0]), as_json)


@commands.command("add")
def add_token(
    user: str,
    note: Annotated[str, typer.Option(help="What it is used for.")] = "",
    collection: Annotated[
        list[str] | None, typer.Option(help="Only for this collection (its name); may be repeated. Default: all.")
    ] = None,
    right: Annotated[list[str] | None, typer.Option(help="Only read or only write. Default: as the account.")] = None,
    expires: Annotated[str, typer.Option(help="After 12h, 90d or 8w, or at the end of a day: 2027-01-31.")] = "",
    network: Annotated[
        list[str] | None, typer.Option(help="Only from this address or network; may be repeated. Default: anywhere.")
    ] = None,
    read_only: Annotated[bool, typer.Option("--read-only", hidden=True)] = False,
    days: Annotated[int | None, typer.Option(min=1, max=36_500, hidden=True)] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token for an account, at most as wide as the account; it is shown once."""
    rights = _rights(["read"] if read_only else right or [])
    end = times.now() + days * times.DAY if days else _end(expires)
    with opened(data) as hub:
        _must_be_of_use(hub, user, collection or [])
        token, secret = hub.accounts.add_token(
            user, note=note, rights=rights, expires=end, collections=collection or None, networks=network or ()
        )
    if as_json:
        print_json({**_row(token), "token": secret})
    else:
        print_text(f"Token {token.id} of {user}, shown only now: {secret}")


@commands.command("revoke")
def revoke_token(
    id: Annotated[list[str], typer.Argument(help="Ids of tokens; the whole text of one works too.")],
    data: DataOption = None,
) -> None:
    """Revoke tokens; the next request with one is refused."""
    with opened(data) as hub:
        for one in id:
            hub.accounts.remove_token(_public(one))
            print_text(f"Token {_public(one)} is revoked.")


def _row(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "user": token.user,
        "note": token.note,
        "rights": ",".join(token.rights),
        "collections": "all" if token.collections is None else list(token.collections),
        "networks": list(token.networks) or "any",
        "made": second(token.made) if token.made else None,
        "expires": second(token.expires) if token.expires else None,
        "expired": token.expires is not None and token.expires <= times.now(),
        "last_used": times.format_day(token.last_used) if token.last_used else None,
        "last_from": token.last_from or None,
    }


def _must_be_of_use(hub: Hub, user: str, collections: list[str]) -> None:
    """Check that an account may do something in each collection: a token that cannot work helps nobody."""
    if not collections:
        return
    known = {one.key: one for one in hub.collections}
    principal = hub.principal(user)
    for name in collections:
        if name not in known:
            raise NotFound(f"there is no collection {name}; `threathub collection list` shows all")
        if not hub.collections.may_read(principal, known[name]) and not hub.collections.may_write(
            principal, known[name]
        ):
            raise BadRequest(f"{user} may neither read nor write {name}, so no token of it can")


def _rights(texts: list[str]) -> tuple[Right, ...]:
    if unknown := set(texts).difference(RIGHTS):
        raise typer.BadParameter(f"{unknown.pop()!r} is neither read nor write", param_hint="--right")
    return tuple(right for right in RIGHTS if not texts or right in texts)


def _end(text: str) -> int | None:
    if not text:
        return None
    shape = _SPAN.fullmatch(text)
    end = times.now() + int(shape[1]) * _UNITS[shape[2]] if shape else end_of_day(text)
    if end <= times.now():
        raise BadRequest(f"{text} is over already")
    return end


def _public(text: str) -> str:
    """Return the public part of what somebody pasted: an id, or a whole token."""
    return text.removeprefix(f"{TOKEN_MARK}_").partition("_")[0]
