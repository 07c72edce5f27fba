"""The `threathub` command."""

from __future__ import annotations

import os
import sys

import structlog
import typer
from typer.models import CommandInfo

from hub import __version__
from hub.cli import (
    access,
    accounts,
    advisory,
    audit,
    certificates,
    config,
    data,
    export,
    feeds,
    find,
    organisations,
    quarantine,
    rules,
    serve,
    signins,
    tokens,
    upkeep,
)
from hub.cli.output import print_error
from hub.errors import HubError, InternalError
from hub.ops.logs import configure_logs

app = typer.Typer(
    name="threathub",
    help="City Threat Hub: sense, correlate and share what attacks on a city look like.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _audit(group: str, command: CommandInfo) -> None:
    assert command.callback is not None
    name = group + (command.name or command.callback.__name__)
    if name in audit.AUDITED:
        command.callback = audit.audited(name, command.callback)


accounts.users.registered_commands += signins.commands.registered_commands
for module in (serve, data, find, export, upkeep):
    for command in module.commands.registered_commands:
        _audit("", command)
        app.registered_commands.append(command)
for name, group in (
    ("feed", feeds.commands),
    ("advisory", advisory.commands),
    ("org", organisations.organisations),
    ("group", organisations.groups),
    ("user", accounts.users),
    ("token", tokens.commands),
    ("certificate", certificates.commands),
    ("collection", accounts.collections),
    ("rule", rules.commands),
    ("quarantine", quarantine.commands),
    ("access", access.commands),
    ("audit", audit.commands),
    ("config", config.commands),
    ("store", upkeep.stores),
):
    for command in group.registered_commands:
        _audit(f"{name} ", command)
    app.add_typer(group, name=name)


@app.callback(invoke_without_command=True)
def version(
    show: bool = typer.Option(False, "--version", help="Print the version and stop."),
) -> None:
    """City Threat Hub: sense, correlate and share what attacks on a city look like."""
    if show:
        typer.echo(f"threathub {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line; an error is one sentence, its code, and its exit status."""
    configure_logs("debug" if os.environ.get("THREATHUB_LOG_LEVEL") == "debug" else "warning", "auto")
    as_json = "--json" in sys.argv and "demo" not in sys.argv[1:2]  # there it names a file
    try:
        app(prog_name="threathub")
    except HubError as error:
        print_error(error, as_json=as_json)
        raise SystemExit(error.exit_status) from None
    except BrokenPipeError:
        raise SystemExit(0) from None
    except (KeyboardInterrupt, typer.Abort):
        raise SystemExit(130) from None
    except Exception as fault:  # the outermost edge: a person must never see a traceback
        structlog.get_logger().debug("internal error", exc_info=True)
        kind = type(fault).__name__
        message = f"a bug in the hub ({kind}); please report it with what THREATHUB_LOG_LEVEL=debug shows"
        print_error(InternalError(message), as_json=as_json)
        raise SystemExit(InternalError.exit_status) from None
