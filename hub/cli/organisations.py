"""`threathub org` and `group`: who takes part, and with whom things are shared."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.access.members import KINDS, Group, Kind, Organisation
from hub.cli.options import DataOption, JsonOption, opened
from hub.cli.output import print_details, print_rows, print_text
from hub.errors import Conflict, NotFound

if TYPE_CHECKING:
    from hub.app import Hub

organisations = typer.Typer(help="Members of the hub.", no_args_is_help=True)
groups = typer.Typer(
    help="Sharing groups and sectors: what is addressed to one reaches its members.", no_args_is_help=True
)

_OTHERS = tuple(kind for kind in KINDS if kind != "city")
AgainOption = Annotated[bool, typer.Option("--again", help="It is the same one that had this name before.")]


@organisations.command("list")
def list_organisations(
    group: Annotated[str, typer.Option(help="Only those in this sharing group.")] = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the members of the hub."""
    with opened(data) as hub:
        rows = [_organisation(one) for one in hub.accounts.organisations() if not group or group in one.groups]
    print_rows(rows, as_json, "There are no such members: threathub org add NAME --title TITLE")


@organisations.command("show")
def show_organisation(name: str, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show a member: its kind, groups and accounts, and whether it may be named to others."""
    with opened(data) as hub:
        found = hub.accounts.organisation(name)
        if found is None:
            raise NotFound(f"there is no organisation {name}")
        row = _organisation(found)
        row["identity"] = found.identity
        row["users"] = [user.name for user in hub.accounts.users() if user.organisation == name]
        row["named_in_receipts"] = hub.publication.receipts.consented(name)
    print_details(row, as_json)


@organisations.command("add")
def add_organisation(
    name: Annotated[str, typer.Argument(help="Short name: a-z, 0-9, dot, dash.")],
    title: Annotated[str, typer.Option(help="Name for people.")],
    kind: Annotated[str, typer.Option(help=f"{', '.join(_OTHERS)}.")] = "partner",
    group: Annotated[list[str] | None, typer.Option(help="Sharing group it is in; may be repeated.")] = None,
    again: AgainOption = False,
    data: DataOption = None,
) -> None:
    """Add a member."""
    organisation = Organisation(name, title, _kind(kind), tuple(sorted(set(group or ()))))
    with opened(data) as hub:
        hub.accounts.add_organisation(organisation, again=again)
    print_text(f"{name} is a member now. Next: threathub user add NAME --org {name} --role partner")


@organisations.command("change")
def change_organisation(
    name: str,
    title: Annotated[str, typer.Option(help="Another name for people.")] = "",
    kind: Annotated[str, typer.Option(help=f"{', '.join(_OTHERS)}.")] = "",
    group: Annotated[list[str] | None, typer.Option(help="Put it into this sharing group.")] = None,
    no_group: Annotated[list[str] | None, typer.Option(help="Take it out of this sharing group.")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change a member's name for people, kind or sharing groups."""
    checked = _kind(kind) if kind else None

    def change(old: Organisation) -> Organisation:
        groups = tuple(sorted({*old.groups, *(group or ())} - set(no_group or ())))
        return replace(old, title=title or old.title, kind=checked or old.kind, groups=groups)

    with opened(data) as hub:
        changed = hub.accounts.change_organisation(name, change)
    print_details(_organisation(changed), as_json)


@organisations.command("disable")
def disable_organisation(name: str, data: DataOption = None) -> None:
    """Shut out all accounts of a member at once; what it contributed stays."""
    with opened(data) as hub:
        hub.accounts.change_organisation(name, lambda old: replace(old, disabled=True))
    print_text(f"Nobody of {name} can sign in any more.")


@organisations.command("enable")
def enable_organisation(name: str, data: DataOption = None) -> None:
    """Let the accounts of a member in again."""
    with opened(data) as hub:
        hub.accounts.change_organisation(name, lambda old: replace(old, disabled=False))
    print_text(f"The accounts of {name} that are not disabled themselves can sign in.")


@organisations.command("remove")
def remove_organisation(name: str, data: DataOption = None) -> None:
    """Remove a member that has no users any more; what it contributed stays, and its name stays reserved."""
    with opened(data) as hub:
        hub.accounts.remove_organisation(name)
    print_text(f"{name} is no member any more.")


@groups.command("list")
def list_groups(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the sharing groups: their members, and what is shared with them."""
    with opened(data) as hub:
        rows = [_group(hub, one) for one in hub.accounts.groups()]
    print_rows(rows, as_json, "There are no sharing groups yet: threathub group add NAME --title TITLE")


@groups.command("show")
def show_group(name: str, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show a sharing group: its members, and what is shared with it."""
    with opened(data) as hub:
        row = _group(hub, _found(hub, name))
    print_details(row, as_json)


@groups.command("add")
def add_group(
    name: Annotated[str, typer.Argument(help="Short name: a-z, 0-9, dot, dash.")],
    title: Annotated[str, typer.Option(help="Name for people.")],
    sector: Annotated[bool, typer.Option("--sector", help="It is an economic sector: receipts count by it.")] = False,
    member: Annotated[list[str] | None, typer.Option(help="Organisation in it; may be repeated.")] = None,
    again: AgainOption = False,
    data: DataOption = None,
) -> None:
    """Add a sharing group."""
    with opened(data) as hub:
        _must_be_there(hub, member or ())
        hub.accounts.add_group(Group(name, title, sector), again=again)
        for one in member or ():
            _put(hub, one, name, inside=True)
    print_text(f"{name} is there: grant a collection to group:{name}, or address an advisory to it.")


@groups.command("change")
def change_group(
    name: str,
    title: Annotated[str, typer.Option(help="Another name for people.")] = "",
    sector: Annotated[bool | None, typer.Option(help="Whether it is an economic sector.")] = None,
    add: Annotated[list[str] | None, typer.Option(help="Put this organisation in; may be repeated.")] = None,
    remove: Annotated[list[str] | None, typer.Option(help="Take this organisation out; may be repeated.")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change a sharing group's name for people or its members."""
    with opened(data) as hub:
        changed = _found(hub, name)
        _must_be_there(hub, (*(add or ()), *(remove or ())))
        if title or sector is not None:
            changed = hub.accounts.change_group(
                name,
                lambda old: replace(old, title=title or old.title, sector=old.sector if sector is None else sector),
            )
        for one in remove or ():
            _put(hub, one, name, inside=False)
        for one in add or ():
            _put(hub, one, name, inside=True)
        row = _group(hub, changed)
    print_details(row, as_json)


@groups.command("remove")
def remove_group(name: str, data: DataOption = None) -> None:
    """Remove a sharing group that has no members and that nothing is shared with; its name stays reserved."""
    with opened(data) as hub:
        uses = _group(hub, _found(hub, name))["shared"]
        if uses:
            raise Conflict(f"{', '.join(uses)} still shared with {name}: change that first")
        hub.accounts.remove_group(name)
    print_text(f"The sharing group {name} is gone.")


def _organisation(one: Organisation) -> dict[str, Any]:
    return {
        "name": one.name,
        "title": one.title,
        "kind": one.kind,
        "groups": list(one.groups),
        "disabled": one.disabled,
    }


def _group(hub: Hub, group: Group) -> dict[str, Any]:
    return {
        "name": group.name,
        "title": group.title,
        "sector": group.sector,
        "members": [one.name for one in hub.accounts.members(group.name)],
        "shared": hub.shared_with(group.name),
    }


def _found(hub: Hub, name: str) -> Group:
    found = hub.accounts.group(name)
    if found is None:
        raise NotFound(f"there is no sharing group {name}; `threathub group list` shows all")
    return found


def _must_be_there(hub: Hub, organisations: Iterable[str]) -> None:
    for name in organisations:
        if hub.accounts.organisation(name) is None:
            raise NotFound(f"there is no organisation {name}")


def _put(hub: Hub, organisation: str, group: str, *, inside: bool) -> None:
    def change(old: Organisation) -> Organisation:
        others = {*old.groups} - {group}
        return replace(old, groups=tuple(sorted({*others, group} if inside else others)))

    hub.accounts.change_organisation(organisation, change)


def _kind(text: str) -> Kind:
    for kind in _OTHERS:
        if kind == text:
            return kind
    raise typer.BadParameter(f"must be one of {', '.join(_OTHERS)}", param_hint="--kind")
