"""`threathub rule`: the city's own rules, and what is kept and found but never matched."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

import typer

from hub.cli.options import DataOption, JsonOption, opened
from hub.cli.output import print_json, print_table
from hub.publish.finding import title_of

commands = typer.Typer(help="The city's own rules.", no_args_is_help=True)


@commands.command("list")
def list_rules(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the rules: what each looks for and what it says of a source."""
    with opened(data) as hub:
        rules = list(hub.correlation.rules.values())
    if as_json:
        print_json([rule.model_dump(mode="json") for rule in rules])
        return
    print_table(
        ("rule", "looks for", "says", "confidence", "days", "ATT&CK"),
        (
            (
                rule.id,
                ", ".join(sorted(rule.when.kinds)) or "any event",
                rule.indicator.name,
                rule.indicator.confidence,
                rule.indicator.valid_days,
                ", ".join(rule.indicator.techniques),
            )
            for rule in rules
        ),
        empty="There are no rules.",
    )


@commands.command()
def unmatched(
    limit: Annotated[int, typer.Option(min=1, help="Indicators at most.")] = 100,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List live indicators that are never matched, because no single value decides their pattern."""
    with opened(data) as hub:
        from hub.correlate.retrohunt import unmatched as unmatched_changes

        found = list(islice(unmatched_changes(hub.store), limit))
    if as_json:
        print_json([{"id": one.id, "collection": one.collection, "source": one.source} for one in found])
        return
    print_table(
        ("indicator", "pattern", "source"),
        ((one.id, title_of(one), one.source) for one in found),
        empty="Every live indicator is matched.",
    )
