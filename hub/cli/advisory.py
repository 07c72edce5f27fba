"""`threathub advisory`: push advisories, publish and end them, acknowledge them, and see who has them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.admission.origin import Origin
from hub.cli.options import DataOption, JsonOption, opened
from hub.cli.output import cell, print_json, print_table, print_text, second
from hub.errors import BadRequest, NoSuchFile, NotAllowed, Refused
from hub.model import times
from hub.model.audience import TLP
from hub.model.envelope import cut_envelope
from hub.model.items import StixItem
from hub.publish.advisories import Terms, end_of_day
from hub.publish.advisory_form import level, read_form
from hub.publish.advisory_json import advisory_document, status_document
from hub.publish.collections import Collection

if TYPE_CHECKING:
    from hub.access.accounts import Organisation
    from hub.app import Hub

commands = typer.Typer(help="Advisories: push, publish, withdraw, and see who has them.", no_args_is_help=True)

AsOption = Annotated[str | None, typer.Option("--as", help="On behalf of this account; default: the city itself.")]
WhyOption = Annotated[str, typer.Option(help="One sentence for the history.")]
AudienceOption = Annotated[
    list[str] | None, typer.Option(help="Organisation or sharing group it is addressed to; may be repeated.")
]


@commands.command()
def push(
    file: Annotated[Path, typer.Argument(help="A STIX bundle or report (JSON), or a filled form (TOML).")],
    user: AsOption = None,
    tlp: Annotated[str, typer.Option(help="Traffic light of what names none; of a form: its traffic light.")] = "",
    audience: AudienceOption = None,
    expires: Annotated[str, typer.Option(help="Withdraw it after this many days, or on this day, 2027-01-31.")] = "",
    quote: Annotated[str, typer.Option(help="yes or no: whether it may be quoted in public.")] = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hand in an advisory; a trusted organisation's is published at once, others' wait for a senior analyst."""
    if not file.is_file():
        raise NoSuchFile(f"{file} cannot be read")
    if quote not in ("", "yes", "no"):
        raise BadRequest("--quote is yes or no")
    said = Terms(tuple(sorted(set(audience or ()))), _end(expires), {"yes": True, "no": False}.get(quote))
    marking, raw = _marking(tlp), file.read_bytes()
    with opened(data) as hub:
        inbox = next(one for one in hub.collections if one.advisories_to)
        source, by = _author(hub, user, inbox)
        if file.suffix == ".toml":
            form = read_form(raw)
            said = said.over(form.terms)
            items = hub.publication.handing_in.of_form(
                form if marking is None else form.model_copy(update={"tlp": marking}), by
            )
        else:
            items = list(cut_envelope(raw)) or [StixItem(raw, file.name)]
        hub.accounts.must_be_addressable(said.audience)
        origin = Origin(
            source=source,
            organisation=by.name,
            collections=(inbox.key,),
            marking=inbox.marking if marking is None else marking,
            created_by=by.identity,
            reader=by.reader(analyst=True),
        )
        found, receipt = hub.publication.handing_in.take(inbox, items, origin, said)
    refused = [one for one in receipt.results if one.outcome not in ("stored", "unchanged")]
    if not found:
        raise Refused(refused[0].reason, f"the report was not taken: {refused[0].message}")
    if as_json:
        faults = [{"id": one.id, "reason": one.reason, "message": one.message} for one in refused]
        print_json({"advisories": [advisory_document(one) for one in found], "refused": faults})
        return
    for advisory in found:
        print_text(f"{advisory.id}: {advisory.state}, {receipt.stored} new objects, {len(refused)} refused")
    for one in refused:
        print_text(f"  {one.id}: {one.reason}: {one.message}")


@commands.command("list")
def list_advisories(
    state: Annotated[str, typer.Option(help="draft, published, superseded or withdrawn; default: all.")] = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List advisories."""
    with opened(data) as hub:
        found = [one for one in hub.publication.publisher.book if state in ("", one.state)]
    if as_json:
        print_json([advisory_document(one) for one in found])
        return
    rows = (
        (
            one.id,
            f"{one.state}{' (newer waits)' if one.waiting and one.version else ''}",
            one.tlp,
            one.organisation,
            one.title,
        )
        for one in found
    )
    print_table(("id", "state", "TLP", "of", "title"), rows, empty="There are no advisories.")


@commands.command()
def show(id: str, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show an advisory's terms and history."""
    with opened(data) as hub:
        advisory = hub.publication.publisher.book[id]
    document = advisory_document(advisory)
    if as_json:
        print_json(document)
        return
    del document["history"]
    print_table(("", ""), ((name, cell(value)) for name, value in document.items()), empty="")
    steps = ((second(one.at), one.state, one.by, one.why) for one in advisory.history)
    print_table(("when", "state", "by", "why"), steps, empty="")


@commands.command()
def publish(
    id: str, user: AsOption = None, why: WhyOption = "", audience: AudienceOption = None, data: DataOption = None
) -> None:
    """Publish what was handed in last."""
    with opened(data) as hub:
        by = hub.publication.decider(id, user)
        terms = Terms(tuple(sorted(set(audience or ()))))
        advisory = hub.publication.publisher.publish(id, by, why, terms)
    print_text(f"{id} is published; {len(advisory.entitled)} organisations may read it")


@commands.command()
def withdraw(
    id: str,
    why: Annotated[str, typer.Option(help="One sentence for the history.")],
    user: AsOption = None,
    data: DataOption = None,
) -> None:
    """Take an advisory back: whoever has it gets it once more, revoked."""
    with opened(data) as hub:
        hub.publication.publisher.withdraw(id, hub.publication.decider(id, user), why)
    print_text(f"{id} is withdrawn")


@commands.command()
def supersede(
    id: str,
    successor: Annotated[str, typer.Argument(help="The published advisory that replaces it.")],
    user: AsOption = None,
    why: WhyOption = "",
    data: DataOption = None,
) -> None:
    """Take an advisory back because another replaces it."""
    with opened(data) as hub:
        hub.publication.publisher.supersede(id, successor, hub.publication.decider(id, user), why)
    print_text(f"{id} is superseded by {successor}")


@commands.command("ack")
def acknowledge(
    id: str,
    user: Annotated[str, typer.Option("--as", help="The account that has read it.")],
    data: DataOption = None,
) -> None:
    """Say that an account's organisation has read an advisory and understood it."""
    with opened(data) as hub:
        hub.publication.publisher.acknowledge(id, user, times.now())
    print_text(f"{id} is acknowledged")


@commands.command()
def consent(
    organisation: str,
    given: Annotated[str, typer.Argument(help="yes or no.")],
    data: DataOption = None,
) -> None:
    """Say whether an organisation may be named to the originators of advisories."""
    if given not in ("yes", "no"):
        raise BadRequest("say yes or no")
    with opened(data) as hub:
        hub.publication.receipts.consent(organisation, given == "yes")
    print_text(f"{organisation} is {'named' if given == 'yes' else 'counted but not named'} in receipts")


@commands.command()
def status(
    id: str,
    user: Annotated[str | None, typer.Option("--as", help="As this account sees it; default: all.")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say who was entitled to an advisory, who pulled it and when, and who acknowledged it."""
    with opened(data) as hub:
        found = hub.publication.status(id, user)
    if as_json:
        print_json(status_document(found))
        return
    print_text(f"{found.advisory.title}: {found.advisory.state}")
    print_text(
        f"pulled by {found.pulled} of {found.entitled} entitled organisations, acknowledged by {found.acknowledged}"
    )
    print_text(
        f"50 % after {_span(found.half_after)}, 90 % after {_span(found.ninety_after)}; {found.stale} silent pollers\n"
    )
    if found.advisory.state in ("withdrawn", "superseded"):
        print_text(f"{found.informed} of those who pulled it were served its revocation\n")
    print_table(
        ("sector", "entitled", "pulled", "acknowledged"),
        ((one.name, one.entitled, one.pulled, one.acknowledged) for one in found.sectors),
        empty="Nobody but its originator was entitled.",
    )
    print_table(
        ("organisation", "pulled", "acknowledged", "last poll", "silent"),
        (
            (
                one.organisation or "(not named)",
                *map(_when, (one.pulled, one.acknowledged, one.last_poll)),
                cell(one.stale),
            )
            for one in found.recipients
        ),
        empty="",
    )


def _author(hub: Hub, user: str | None, inbox: Collection) -> tuple[str, Organisation]:
    """Return the source and the organisation of what is handed in."""
    name = hub.settings.organisation
    if user is not None:
        principal = hub.principal(user)
        name = principal.organisation
        if not hub.collections.may_write(principal, inbox) and not principal.reader.analyst:
            raise NotAllowed(f"{user} may not hand in advisories")
    organisation = hub.accounts.organisation(name)
    if organisation is None:
        raise BadRequest(f"there is no organisation {name}: run threathub init first")
    return "hub:advisory" if user is None else f"user:{user}", organisation


def _marking(text: str) -> TLP | None:
    try:
        return level(text) if text else None
    except ValueError as fault:
        raise BadRequest(f"--tlp {fault}") from None


def _end(expires: str) -> int | None:
    if expires.isdecimal() and int(expires) <= 36_500:
        return times.now() + int(expires) * times.DAY
    return end_of_day(expires) if expires else None


def _when(moment: int | None) -> str:
    return "" if moment is None else second(moment)


def _span(length: int | None) -> str:
    return "(not yet)" if length is None else f"{length / times.SECOND:.0f} s"
