"""`threathub user` and `collection`: accounts, and what they may read and write."""

from __future__ import annotations

import secrets
import sys
from dataclasses import replace
from typing import Annotated, Any

import typer

from hub.access.members import User
from hub.access.principal import ROLES, Role
from hub.cli.options import DataOption, JsonOption, opened
from hub.cli.output import print_details, print_json, print_rows, print_text
from hub.errors import BadRequest
from hub.store.ports import HUB

users = typer.Typer(help="Accounts.", no_args_is_help=True)
collections = typer.Typer(help="What is shared, with whom.", no_args_is_help=True)

PromptOption = Annotated[bool, typer.Option("--prompt", help="Ask for the password, twice, without showing it.")]
StdinOption = Annotated[bool, typer.Option("--stdin", help="Read the password from standard input, one line.")]


@users.command("list")
def list_users(
    org: Annotated[str, typer.Option(help="Only those of this organisation.")] = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the accounts."""
    with opened(data) as hub:
        rows = [_row(user) for user in hub.accounts.users() if org in ("", user.organisation)]
    print_rows(rows, as_json, "There are no such accounts; threathub init makes the first one.")


@users.command("add")
def add_user(
    name: str,
    org: Annotated[str, typer.Option(help="Its organisation.")],
    role: Annotated[str, typer.Option(help=f"{', '.join(ROLES)}.")],
    password: Annotated[bool, typer.Option(help="Make a password; --no-password leaves tokens only.")] = True,
    prompt: PromptOption = False,
    stdin: StdinOption = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add an account; its password is made now and shown once, or typed in."""
    typed = _typed(prompt=prompt, stdin=stdin)
    made = secrets.token_urlsafe(15) if password and typed is None else None
    with opened(data) as hub:
        hub.accounts.add_user(name, org, _role(role), made if typed is None else typed)
    if as_json:
        print_json({"user": name, "password": made})
    elif made or typed:
        print_text(f"{name} can sign in." + (f" Its password, shown only now: {made}" if made else ""))
    else:
        print_text(f"{name} is there: threathub token add {name}")


@users.command("change")
def change_user(
    name: str,
    org: Annotated[str, typer.Option(help="Another organisation.")] = "",
    role: Annotated[str, typer.Option(help=f"Another role: {', '.join(ROLES)}.")] = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change an account's organisation or role; its next request goes by that."""
    checked = _role(role) if role else None
    with opened(data) as hub:
        changed = hub.accounts.change_user(
            name, lambda old: replace(old, organisation=org or old.organisation, role=checked or old.role)
        )
    print_details(_row(changed), as_json)


@users.command("disable")
def disable_user(name: str, data: DataOption = None) -> None:
    """Shut out an account with its password and its tokens, at once."""
    with opened(data) as hub:
        hub.accounts.change_user(name, lambda old: replace(old, disabled=True))
    print_text(f"{name} cannot sign in any more, with no token either.")


@users.command("enable")
def enable_user(name: str, data: DataOption = None) -> None:
    """Let an account in again, with its password and its tokens."""
    with opened(data) as hub:
        hub.accounts.change_user(name, lambda old: replace(old, disabled=False))
    print_text(f"{name} can sign in.")


@users.command("password")
def new_password(
    name: str,
    prompt: PromptOption = False,
    stdin: StdinOption = False,
    none: Annotated[bool, typer.Option("--none", help="Take the password away: tokens only.")] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give an account a new password, made now and shown once, or typed in; the old one stops working at once."""
    typed = _typed(prompt=prompt, stdin=stdin)
    made = secrets.token_urlsafe(15) if typed is None and not none else None
    with opened(data) as hub:
        hub.accounts.set_password(name, made if typed is None else typed)
    if as_json:
        print_json({"user": name, "password": made})
    elif made:
        print_text(f"The new password of {name}, shown only now: {made}")
    else:
        print_text(f"{name} has a new password." if typed else f"{name} has no password any more.")


@users.command("remove")
def remove_user(name: str, data: DataOption = None) -> None:
    """Remove an account and its tokens."""
    with opened(data) as hub:
        hub.accounts.remove_user(name)
    print_text(f"{name} and its tokens are gone.")


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
        from hub.publish.sharing import not_there

        missing = [] if principal or as_json else list(not_there(hub.collections, hub.accounts))
    print_rows(rows, as_json, "This account sees no collection.")
    for key, grant in missing:
        print_text(f"{key} is granted to {grant}, and there is none of that name.")


def _row(user: User) -> dict[str, Any]:
    return {
        "name": user.name,
        "organisation": user.organisation,
        "role": user.role,
        "password": user.password_hash is not None,
        "disabled": user.disabled,
    }


def _role(text: str) -> Role:
    for role in ROLES:
        if role == text:
            return role
    raise typer.BadParameter(f"must be one of {', '.join(ROLES)}", param_hint="--role")


def _typed(*, prompt: bool, stdin: bool) -> str | None:
    """Return the password that is typed or piped in: never an argument, which other users of the machine could see."""
    if prompt and stdin:
        raise BadRequest("say --prompt or --stdin, not both")
    if prompt:
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    from hub.access.hashing import LONGEST_PASSWORD

    return sys.stdin.readline(LONGEST_PASSWORD + 2).rstrip("\r\n") if stdin else None
