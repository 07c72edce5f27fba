"""`threathub user show`, `user unlock`: how an account signs in, and who guesses at its password."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from hub.cli.options import DataOption, JsonOption, opened
from hub.cli.output import cell, print_json, print_table, print_text, second
from hub.errors import NotFound

if TYPE_CHECKING:
    from hub.access.accounts import User
    from hub.access.guesses import Seen

commands = typer.Typer()


@commands.command("show")
def show_user(name: str, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show an account: its role, its tokens, the networks it signs in from, wrong passwords and locks."""
    with opened(data) as hub:
        found = hub.accounts.user(name)
        if found is None:
            raise NotFound(f"there is no user {name}")
        tokens = [token.id for token in hub.accounts.tokens() if token.user == name]
        guesses = hub.guesses()
        seen = guesses.of(name)
        guesses.close()
    rows = [_row(one) for one in seen]
    if as_json:
        print_json({**_account(found[0]), "tokens": tokens, "signins": rows})
        return
    for label, value in {**_account(found[0]), "tokens": ", ".join(tokens) or "none"}.items():
        print_text(f"{label:<13} {cell(value)}")
    columns = ("network", "wrong passwords", "last", "locked for", "signed in from here")
    print_table(
        columns,
        (tuple(map(cell, row.values())) for row in rows),
        empty="No wrong passwords, and no sign-in with one yet.",
    )


@commands.command("unlock")
def unlock_user(name: str, data: DataOption = None) -> None:
    """Forget the wrong passwords that were tried on an account; its locks end at once."""
    with opened(data) as hub:
        if hub.accounts.user(name) is None:
            raise NotFound(f"there is no user {name}")
        guesses = hub.guesses()
        number = guesses.unlock(name)
        guesses.close()
    print_text(f"{name} is not locked any more; {number} wrong passwords are forgotten.")


def _account(user: User) -> dict[str, object]:
    return {
        "name": user.name,
        "organisation": user.organisation,
        "role": user.role,
        "password": user.password_hash is not None,
        "disabled": user.disabled,
    }


def _row(seen: Seen) -> dict[str, object]:
    return {
        "network": seen.network or "all together",
        "wrong": seen.guesses,
        "last": second(seen.last) if seen.last else None,
        "locked_seconds": seen.locked,
        "known": seen.known,
    }
