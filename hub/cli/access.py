"""`threathub access`: who may see what, and why."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from hub.cli.options import DataOption, JsonOption, opened
from hub.cli.output import print_json, print_table, print_text, second
from hub.model import times
from hub.model.audience import TLP, Audience, Decision
from hub.publish.finding import title_of

if TYPE_CHECKING:
    from hub.admission.readdressing import Step
    from hub.app import Hub
    from hub.publish.explanation import Access, Explanation, Marking, Preview, Sample, Seen

commands = typer.Typer(help="Who may see what, and why.", no_args_is_help=True)

ObjectArgument = Annotated[str, typer.Argument(help="Id of the object.")]
TlpOption = Annotated[str, typer.Option(help="clear, green, amber, amber+strict or red.")]
ReasonOption = Annotated[str, typer.Option(help="Why; it stands in the audit log.")]
AsOption = Annotated[str | None, typer.Option("--as", help="The account that does it: a senior analyst's.")]
TokenOption = Annotated[str | None, typer.Option("--token", help="Id of one of its tokens: what that one may do.")]


@commands.command()
def explain(
    user: Annotated[str, typer.Argument(help="The account.")],
    object: Annotated[str, typer.Argument(help="Id of the object.")],
    token: TokenOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say whether an account may see an object, and what that follows from."""
    with opened(data) as hub:
        found = hub.explainer.explain(hub.principal(user, token), object)
    if as_json:
        print_json(_explained(found))
        return
    print_text(f"{user} ({found.principal.role} of {found.principal.organisation}) and {object}")
    print_text(f"  read:  {_word(found.read)}\n  block: {_word(found.block)}\n")
    if found.readdressed is not None:
        last = found.readdressed
        least = "at least " if last.floor else ""
        print_text(f"  {second(last.at)} {last.by} made it {least}TLP:{last.tlp}: {last.reason}\n")
    print_table(
        ("collection", "know", "read", "write"),
        ((one.collection, _word(one.know), _word(one.read), _word(one.write)) for one in found.collections),
        empty="No collection carries it.",
    )
    print_text()
    print_table(
        ("collection", "version", "for", "because of", "read", "block", "gets it"),
        (
            (
                one.collection,
                one.version,
                _for(one.audience),
                _because(one),
                _word(one.read),
                _word(one.block),
                "yes" if one.got else "no",
            )
            for one in found.versions
        ),
        empty="There is no such object.",
    )


@commands.command()
def preview(
    user: Annotated[str, typer.Argument(help="The account.")],
    collection: Annotated[str, typer.Option(help="Only this collection.")] = "",
    type: Annotated[str, typer.Option(help="Only objects of this STIX type.")] = "",
    hidden: Annotated[bool, typer.Option("--hidden", help="List also what it would not get, and why.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Objects in a list at most.")] = 20,
    token: TokenOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what an account would get: how many objects of each collection, and the first of them."""
    with opened(data) as hub:
        found = hub.explainer.preview(
            hub.principal(user, token), collection=collection, type=type, hidden=hidden, limit=limit
        )
    if as_json:
        print_json(_previewed(found))
        return
    print_table(
        ("collection", "gets", "does not get", "read"),
        ((one.access.collection, one.got, one.hidden, _word(one.access.read)) for one in found.portions),
        empty="There are no collections.",
    )
    print_text(f"\nThe first that {user} gets:")
    _print_samples(found.got)
    if hidden:
        print_text(f"\nThe first that {user} does not get:")
        _print_samples(found.hidden)


@commands.command()
def tighten(
    object: ObjectArgument,
    tlp: TlpOption,
    reason: ReasonOption,
    user: AsOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an object stricter than its marking says, all its versions and those to come."""
    with opened(data) as hub:
        who = _reviewer(hub, user)
        steps = hub.readdressing.tighten(object, _tlp(tlp), reason, who)
    _print_steps(steps, as_json)


@commands.command()
def loosen(
    object: ObjectArgument,
    tlp: TlpOption,
    reason: ReasonOption,
    user: AsOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the stored versions of an object less strict than their markings say."""
    with opened(data) as hub:
        who = _reviewer(hub, user)
        steps = hub.readdressing.loosen(object, _tlp(tlp), reason, who)
        hub.publication.farewells.take_back()
    _print_steps(steps, as_json)


def _reviewer(hub: Hub, user: str | None) -> str:
    """Return who does it; an account needs the ability, whoever runs the hub's own command line has it."""
    if user is not None:
        hub.principal(user).must_be_able("review")
    return user or ""


def _tlp(text: str) -> TLP:
    name = text.upper().removeprefix("TLP:").replace("+", "_")
    if name not in TLP.__members__ or name == "UNKNOWN":
        raise typer.BadParameter("must be clear, green, amber, amber+strict or red", param_hint="--tlp")
    return TLP[name]


def _print_steps(steps: Iterable[Step], as_json: bool) -> None:
    if as_json:
        print_json(
            [
                {
                    "collection": one.collection,
                    "version": one.version,
                    "before": _audience(one.before),
                    "after": _audience(one.after),
                    "added": one.added,
                }
                for one in steps
            ]
        )
        return
    print_table(
        ("collection", "version", "was for", "is for", ""),
        (
            (one.collection, one.version, _for(one.before), _for(one.after), "added by the hub" if one.added else "")
            for one in steps
        ),
        empty="Nothing was changed.",
    )


def _print_samples(samples: Iterable[Sample]) -> None:
    print_table(
        ("collection", "id", "what", "for", "why"),
        (
            (one.change.collection, one.change.id, title_of(one.change), _for(one.change.audience), one.why)
            for one in samples
        ),
        empty="Nothing.",
    )


def _word(decision: Decision) -> str:
    return f"{'yes' if decision.allowed else 'no'}: {decision.reason}"


def _for(audience: Audience) -> str:
    addressed = f", to {', '.join(audience.groups)}" if audience.groups else ""
    pap = f", PAP:{audience.pap.name}" if audience.pap else ""
    return f"TLP:{audience.tlp.name.replace('_', '+')}{pap} of {audience.owner}{addressed}"


def _marked(markings: Iterable[Marking]) -> list[str]:
    return [f"{_level(one) or 'no restriction'} ({one.id}, {one.why})" for one in markings]


def _because(seen: Seen) -> str:
    named = [f"refers to the stricter {id}" for id in seen.members]
    return "; ".join([*(_marked(seen.markings) or [f"no marking: the default of {seen.source}"]), *named])


def _level(marking: Marking) -> str:
    tlp, pap = marking.level
    words = [f"TLP:{tlp.name.replace('_', '+')}"] if tlp is not None else []
    return " ".join([*words, f"PAP:{pap.name}"] if pap is not None else words)


def _explained(found: Explanation) -> dict[str, Any]:
    return {
        **_account(found),
        "object": found.id,
        "exists": bool(found.versions),
        "read": _decision(found.read),
        "block": _decision(found.block),
        "readdressed": None if found.readdressed is None else msgspec.to_builtins(found.readdressed),
        "collections": [_access(one) for one in found.collections],
        "versions": [_version(one) for one in found.versions],
    }


def _account(found: Explanation) -> dict[str, Any]:
    principal = found.principal
    return {
        "user": principal.user,
        "organisation": principal.organisation,
        "role": principal.role,
        "groups": sorted(principal.reader.groups),
        "token": principal.token,
        "rights": sorted(principal.rights),
    }


def _access(access: Access) -> dict[str, Any]:
    return {
        "collection": access.collection,
        "know": _decision(access.know),
        "read": _decision(access.read),
        "write": _decision(access.write),
    }


def _version(seen: Seen) -> dict[str, Any]:
    return {
        "collection": seen.collection,
        "version": seen.version,
        "spec_version": seen.spec_version,
        "date_added": times.format_timestamp(seen.date_added),
        "source": seen.source,
        "audience": _audience(seen.audience),
        "markings": [{"id": one.id, "restricts": _level(one), "why": one.why} for one in seen.markings],
        "refers_to_stricter": list(seen.members),
        "read": _decision(seen.read),
        "block": _decision(seen.block),
        "gets": seen.got,
    }


def _previewed(found: Preview) -> dict[str, Any]:
    return {
        "collections": [{**_access(one.access), "objects": one.got, "hidden": one.hidden} for one in found.portions],
        "objects": [_sample(one) for one in found.got],
        "hidden": [_sample(one) for one in found.hidden],
    }


def _sample(sample: Sample) -> dict[str, Any]:
    change = sample.change
    return {
        "collection": change.collection,
        "id": change.id,
        "type": change.type,
        "version": change.version_text,
        "what": title_of(change),
        "audience": _audience(change.audience),
        "why": sample.why,
    }


def _audience(audience: Audience) -> dict[str, Any]:
    return {
        "owner": audience.owner,
        "tlp": audience.tlp.name.replace("_", "+"),
        "pap": audience.pap.name,
        "groups": list(audience.groups),
    }


def _decision(decision: Decision) -> dict[str, Any]:
    return {"allowed": decision.allowed, "reason": decision.reason}
