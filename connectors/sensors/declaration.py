"""The city's sensors, each declared in a TOML file of ``feeds/sensors``: its format, its clock's zone, its role."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from connectors.sensors import formats
from connectors.sensors.records import LogFormat
from hub.errors import BadSettings, NoSuchFile

Role = Literal["ids", "network", "perimeter", "honeypot", "ot"]
"""``honeypot``: nobody has business there, every contact counts. ``ot``: sees industrial control networks."""


class Sensor(BaseModel):
    """One sensor of the city.

    Attributes:
        name: what its events are filed under; never changed once events were read.
        title: for people. format: the name of its log format. role: where it stands.
        zone: time zone (IANA name) of times in its log that name none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    title: str = Field(min_length=1, max_length=200)
    format: str
    role: Role
    zone: str = "UTC"

    @field_validator("format")
    @classmethod
    def _known_format(cls, name: str) -> str:
        if name not in formats():
            raise ValueError(f"there is no format {name[:40]!r}; there are {', '.join(formats())}")
        return name

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, OSError, ValueError):
            raise ValueError(f"there is no time zone {name[:40]!r}; use a name such as Europe/Berlin") from None
        return name

    @property
    def log_format(self) -> LogFormat:
        """The sensor's format, reading times without a zone in the sensor's own."""
        return dataclasses.replace(formats()[self.format], zone=ZoneInfo(self.zone))


def sensors(folder: Path) -> dict[str, Sensor]:
    """Read every declaration of a folder, by sensor name.

    Raises:
        NoSuchFile: the folder or a file in it cannot be read.
        BadSettings: a declaration is wrong, or two sensors have one name.
    """
    found: dict[str, Sensor] = {}
    try:
        declarations = {path: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix == ".toml"}
    except OSError as fault:
        raise NoSuchFile(f"the sensor declarations in {folder.name} cannot be read: {fault.strerror}") from None
    for path, content in declarations.items():
        try:
            sensor = Sensor.model_validate(tomllib.loads(content.decode()))
        except ValidationError as fault:
            first = fault.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise BadSettings(f"sensor declaration {path.name}: {where}: {first['msg']}") from None
        except ValueError as fault:
            raise BadSettings(f"sensor declaration {path.name} is not TOML in UTF-8: {fault}") from None
        if sensor.name in found:
            raise BadSettings(f"sensor declaration {path.name}: there is another sensor {sensor.name}")
        found[sensor.name] = sensor
    return found
