"""The contract that every connector keeps: settings in, items out, a cursor of its own, nothing else.

A connector is one file with one class that names itself, declares its settings as a pydantic model, and yields. It
may not store, schedule, sleep or log; the runner does that. To add one: a file here, a declaration in ``feeds/``,
a samples folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict

from hub.model.items import BadItem, EventItem, IndicatorItem, StixItem

if TYPE_CHECKING:
    from connectors.http import Http

Item = StixItem | IndicatorItem | BadItem


class ConnectorSettings(BaseModel):
    """Base of every connector's settings: unknown keys are refused, values are not guessed at."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class Portion:
    """A part of what a source gave that is committed at once, with the cursor to save with it.

    ``cursor`` is the connector's own JSON value; it is handed back to `Connector.fetch` the next time. A portion that
    is not the last of its fetch may carry the cursor it began with.
    """

    items: Iterable[Item]
    cursor: dict[str, Any]


class Connector(Protocol):
    """One protocol or format."""

    name: ClassVar[str]
    Settings: ClassVar[type[ConnectorSettings]]

    def fetch(self, settings: Any, cursor: dict[str, Any], http: Http) -> Iterator[Portion]:
        """Yield what is new since the cursor, in portions, in bounded memory.

        Raises:
            SourceUnreachable: try again later; what was yielded before is kept.
            NotThatFormat: the source delivered something else as a whole.
        """
        ...

    def read(self, settings: Any, stream: BinaryIO, name: str) -> Iterator[Item]:
        """Yield the items of one file or answer body; ``name`` is for `place`.

        Raises:
            NotThatFormat: it is something else as a whole, or breaks off.
        """
        ...


class SensorFormat(Protocol):
    """One log format of the city's sensors."""

    name: ClassVar[str]

    def events(self, stream: BinaryIO, sensor: str, *, name: str = "", start: int = 0) -> Iterator[EventItem | BadItem]:
        """Yield the events of a log, in order; a bad line is a `BadItem` and its neighbours go through.

        ``stream`` is at its beginning and decompressed; ``end`` of each item counts bytes from there. ``start`` is the
        last ``end`` of an earlier reading: what lies before it is not yielded again, but a header there is read.

        Raises:
            NotThatFormat: it is something else as a whole, or breaks off; what came before was yielded.
        """
        ...
