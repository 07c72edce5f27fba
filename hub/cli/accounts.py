"""`threathub org`, `user`, `token`, `collection`: who takes part, and what they may read and write."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from hub.access.accounts import TOKEN_MARK, Organisation
from hub.access.principal import Right, Role
from hub.cli.options import DataOption, JsonOption, opened
from hub.cli.output import cell, print_json, print_table, print_text, second
from hub.model import times
from hub.store.ports import HUB

organisations = typer.Typer(help="Members of the hub.", no_args_is_help=True)
users = typer.Typer(help="Accounts.", no_args_is_help=True)
tokens = typer.Typer(help="API tokens.", no_args_is_help=True)
collections = typer.Typer(help="What is shared, with whom.", no_args_is_help=True)


@organisations.command("list")
def list_organisations(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the members of the hub."""
    with opened(data) as hub:
        rows = [
            {"name": one.name, "title": one.title, "kind": one.kind, "groups": list(one.groups)}
            for one in hub.accounts.organisations()
        ]
    _print(rows, as_json, "There are no members yet: threathub org add NAME --title TITLE")


@organisations.command("add")
def add_organisation(
    name: Annotated[str, typer.Argument(help="Short name: a-z, 0-9, dot, dash.")],
    title: Annotated[str, typer.Option(help="Name for people.")],
    kind: Annotated[str, typer.Option(help="department, partner or federal.")] = "partner",
    group: Annotated[list[str] | None, typer.Option(help="Sharing group it is in; may be repeated.")] = None,
    data: DataOption = None,
) -> None:
    """Add a member."""
    if kind not in ("department", "partner", "federal"):
        raise typer.BadParameter("must be department, partner or federal", param_hint="--kind")
    with opened(data) as hub:
        hub.accounts.add_organisation(Organisation(name, title, kind, tuple(group or ())))  # type: ignore[arg-type]
    print_text(f"{name} is a member now. Next: threathub user add NAME --org {name} --role partner")


@organisations.command("remove")
def remove_organisation(name: str, data: DataOption = None) -> None:
    """Remove a member that has no users any more; what it contributed stays."""
    with opened(data) as hub:
        hub.accounts.remove_organisation(name)
    print_text(f"{name} is no member any more.")


@users.command("list")
def list_users(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the accounts."""
    with opened(data) as hub:
        rows = [
            {
                "name": user.name,
                "organisation": user.organisation,
                "role": user.role,
                "password": user.password_hash is not None,
                "disabled": user.disabled,
            }
            for user in hub.accounts.users()
        ]
    _print(rows, as_json, "There are no accounts yet: threathub init makes the first one.")


@users.command("add")
def add_user(
    name: str,
    org: Annotated[str, typer.Option(help="Its organisation.")],
    role: Annotated[str, typer.Option(help="analyst, partner, liaison or administrator.")],
    password: Annotated[bool, typer.Option(help="Make a password; --no-password leaves tokens only.")] = True,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add an account; its password is made now and shown once."""
    secret = secrets.token_urlsafe(15) if password else None
    with opened(data) as hub:
        hub.accounts.add_user(name, org, _role(role), secret)
    if as_json:
        print_json({"user": name, "password": secret})
    else:
        shown = f" Its password, shown only now: {secret}" if secret else ""
        print_text(f"{name} can sign in.{shown}" if secret else f"{name} is there: threathub token add {name}")


@users.command("password")
def new_password(name: str, data: DataOption = None) -> None:
    """Give an account a new password, shown once; the old one stops working at once."""
    secret = secrets.token_urlsafe(15)
    with opened(data) as hub:
        hub.accounts.set_password(name, secret)
    print_text(f"The new password of {name}, shown only now: {secret}")


@users.command("remove")
def remove_user(name: str, data: DataOption = None) -> None:
    """Remove an account and its tokens."""
    with opened(data) as hub:
        hub.accounts.remove_user(name)
    print_text(f"{name} and its tokens are gone.")


@tokens.command("list")
def list_tokens(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the tokens: whose, what for, last use; never the secret itself."""
    with opened(data) as hub:
        rows = [
            {
                "id": token.id,
                "user": token.user,
                "note": token.note,
                "rights": ",".join(token.rights),
                "expires": second(token.expires) if token.expires else None,
                "last_used": times.format_day(token.last_used) if token.last_used else None,
            }
            for token in hub.accounts.tokens()
        ]
    _print(rows, as_json, "There are no tokens yet: threathub token add USER")


@tokens.command("add")
def add_token(
    user: str,
    note: Annotated[str, typer.Option(help="What it is used for.")] = "",
    read_only: Annotated[bool, typer.Option("--read-only", help="It may not post.")] = False,
    days: Annotated[int | None, typer.Option(min=1, help="Days until it expires.")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token for an account; it is shown once."""
    rights: tuple[Right, ...] = ("read",) if read_only else ("read", "write")
    expires = times.now() + days * times.DAY if days else None
    with opened(data) as hub:
        token, secret = hub.accounts.add_token(user, note=note, rights=rights, expires=expires)
    if as_json:
        print_json({"id": token.id, "user": user, "token": secret})
    else:
        print_text(f"Token {token.id} of {user}, shown only now: {secret}")


@tokens.command("revoke")
def revoke_token(id: str, data: DataOption = None) -> None:
    """Revoke a token; the next request with it is refused."""
    with opened(data) as hub:
        hub.accounts.remove_token(id.removeprefix(f"{TOKEN_MARK}_"))
    print_text(f"Token {id} is revoked.")


@collections.command("list")
def list_collections(
    user: Annotated[str | None, typer.Option(help="As this account sees them.")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the collections: who may read and write, and how many objects each has."""
    with opened(data) as hub:
        principal = hub.principal(user) if user else None
        scope = hub.collections.scope(principal) if principal else None
        number = hub.store.tally(scope or HUB)
        seen = hub.collections.visible(principal) if principal else list(hub.collections)
        rows = [
            {
                "name": one.key,
                "id": one.id,
                "api_root": one.api_root if one.taxii else "",
                "objects": number.get(one.key, 0),
                "read": hub.collections.may_read(principal, one) if principal else ", ".join(one.read),
                "write": hub.collections.may_write(principal, one) if principal else ", ".join(one.write),
                "title": one.title,
            }
            for one in seen
        ]
    _print(rows, as_json, "This account sees no collection.")


def _role(text: str) -> Role:
    if text not in ("analyst", "partner", "liaison", "administrator"):
        raise typer.BadParameter("must be analyst, partner, liaison or administrator", param_hint="--role")
    return text  # type: ignore[return-value]


def _print(rows: Sequence[Mapping[str, object]], as_json: bool, empty: str) -> None:
    if as_json:
        print_json(rows)
    else:
        columns = tuple(name.replace("_", " ") for name in rows[0]) if rows else ()
        print_table(columns, (tuple(cell(one) for one in row.values()) for row in rows), empty=empty)
