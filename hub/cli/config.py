"""`threathub config`: see and check the settings."""

from __future__ import annotations

from typing import Any

import typer
from pydantic import SecretStr

from hub.cli.options import DataOption, JsonOption
from hub.cli.output import print_json, print_table, print_text
from hub.settings import Settings, load_settings, origin_of

commands = typer.Typer(help="Show and check the settings.", no_args_is_help=True)


@commands.command()
def show(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show every setting, its value, where it comes from and what it is for. Secrets are not shown."""
    given = {"data": data}
    settings = load_settings(**given)
    rows = [
        {
            "name": name,
            "value": _visible(getattr(settings, name)),
            "from": origin_of(name, given),
            "description": field.description,
        }
        for name, field in Settings.model_fields.items()
    ]
    if as_json:
        print_json(rows)
    else:
        print_table(("setting", "value", "from", "what it is for"), (tuple(row.values()) for row in rows), empty="")


@commands.command()
def check(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Check the settings and every declaration; exit status 78 and one sentence when something is wrong."""
    from hub.app import check_declarations

    settings = load_settings(data=data)
    found = check_declarations(settings)
    if as_json:
        print_json({"ok": True, **found})
    else:
        print_text("The settings are good: " + ", ".join(f"{number} {what}" for what, number in found.items()) + ".")


def _visible(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _visible(item) for key, item in value.items()}
    return "[redacted]" if isinstance(value, SecretStr) else value if value is None else str(value)
