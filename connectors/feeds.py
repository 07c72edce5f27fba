"""Declared feeds: one TOML file each, read and checked, never imported. The city's own folder overrides ours."""

from __future__ import annotations

import datetime
import ipaddress
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from cronsim import CronSim, CronSimError
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from connectors.catalogue import connector
from connectors.contract import Connector, ConnectorSettings
from hub.errors import BadSettings, NoSuchFile
from hub.model.audience import TLP

_TLP_NAMES = {level.name.replace("_", "+"): level for level in TLP if level is not TLP.UNKNOWN}


class Feed(BaseModel):
    """One declared source: where from, by which connector, how often, for whom, and how far it is trusted.

    ``folder`` is where the declaration stands; relative paths in ``settings`` count from it. It is not declared.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,60}$", description="The file's name without .toml.")
    folder: Path = Field(description="Where the declaration stands.", exclude=True)
    title: str = Field(min_length=1, description="What people call it.")
    description: str = Field("", description="What is in it, in a sentence.")
    connector: str = Field(description="Which connector fetches it.")
    organisation: str = Field(description="Whose data it is.")
    collections: tuple[str, ...] = Field(min_length=1, description="Collections that carry what it brings.")
    marking: TLP = Field(TLP.GREEN, description="Traffic light of objects that name none, such as `TLP:GREEN`.")
    groups: tuple[str, ...] = Field((), description="Sharing groups that its objects are addressed to.")
    trust: int = Field(50, ge=0, le=100, description="How far the city trusts it, 0 to 100.")
    schedule: str = Field("0 * * * *", description="When to fetch, as five cron fields, UTC.")
    ttl_days: int | None = Field(None, ge=1, le=3650, description="Days that a listed value stays valid.")
    redistribute: bool = Field(True, description="Whether the terms allow the hub to pass it on to partners.")
    licence: str = Field(description="Licence or terms, in a few words.")
    terms: str = Field("", description="Address of the licence or terms.")
    documentation: str = Field("", description="Address of the source's own description.")
    revised: datetime.date = Field(description="When a person last checked this declaration against the source.")
    created_by: str | None = Field(
        None, pattern=r"^identity--", description="The identity that this source may speak for; none: any, as claimed."
    )
    keep_2_0: bool = Field(False, description="Whether STIX 2.0 objects are kept as they are beside the upgraded ones.")
    enabled: bool = Field(True, description="Whether the scheduler fetches it.")
    allow_networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = Field(
        (), description="Networks beside the public ones that it may be fetched from."
    )
    certificate_authorities: Path | None = Field(None, description="File of the authorities to trust for this source.")
    settings: dict[str, Any] = Field(default_factory=dict, description="The connector's own settings.")

    @field_validator("marking", mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        if isinstance(value, str):
            name = value.upper().removeprefix("TLP:")
            if name not in _TLP_NAMES:
                raise ValueError(f"not a TLP 2.0 marking; there are {', '.join(_TLP_NAMES)}")
            return _TLP_NAMES[name]
        return value

    @field_validator("schedule")
    @classmethod
    def _is_cron(cls, text: str) -> str:
        try:
            CronSim(text, datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC))
        except CronSimError as fault:
            raise ValueError(f"not five cron fields: {fault}") from None
        return text

    @model_validator(mode="after")
    def _folder_is_base(self) -> Self:
        if self.certificate_authorities is not None and not self.certificate_authorities.is_absolute():
            return self.model_copy(update={"certificate_authorities": self.folder / self.certificate_authorities})
        return self

    def parts(self) -> tuple[Connector, ConnectorSettings]:
        """Return the connector and its checked settings.

        Raises:
            BadSettings: no such connector, or a setting that it does not take.
        """
        found = connector(self.connector)
        try:
            return found, found.Settings.model_validate(self.settings, context={"base": self.folder})
        except ValidationError as fault:
            raise BadSettings(f"feed {self.name}: {_first_fault(fault, 'settings')}") from None


def load_feed(path: Path) -> Feed:
    """Read one declaration.

    Raises:
        BadSettings: it is not TOML, or a field is unknown, missing or impossible; the message names it, not its value.
    """
    try:
        declared = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise BadSettings(f"the feed declaration {path.name} is not TOML: {fault}") from None
    try:
        feed = Feed.model_validate({**declared, "name": path.stem, "folder": path.parent})
    except ValidationError as fault:
        raise BadSettings(f"the feed declaration {path.name}: {_first_fault(fault)}") from None
    feed.parts()
    return feed


def load_feeds(folders: Sequence[Path]) -> dict[str, Feed]:
    """Read all declarations by name; one in a later folder replaces the one of the same name in an earlier folder.

    Raises:
        NoSuchFile: a folder is not there.
        BadSettings: see `load_feed`.
    """
    found: dict[str, Feed] = {}
    for folder in folders:
        if not folder.is_dir():
            raise NoSuchFile(f"the folder of feed declarations {folder} is not there")
        found.update({path.stem: load_feed(path) for path in sorted(folder.glob("*.toml"))})
    return dict(sorted(found.items()))


def _first_fault(fault: ValidationError, *before: str) -> str:
    first = fault.errors(include_input=False, include_url=False, include_context=False)[0]
    place = ".".join(str(part) for part in (*before, *first["loc"]))
    return f"{place}: {first['msg']}" if place else first["msg"]
