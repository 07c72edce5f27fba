"""Budgets: how many requests and posted bytes an account and an organisation have in a minute, and strangers.

Each is a bucket that holds a minute's budget and is refilled evenly (the generic cell rate algorithm: one number, the
time at which the bucket will be full again), so bursts pass and an endless loop does not. The buckets lie in a
`SharedTable`: they count over all server processes of one machine, cost microseconds and no commit.
"""

from __future__ import annotations

import math
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hub.access.client_address import network_of
from hub.access.principal import Principal
from hub.access.shared_table import SharedTable, Values
from hub.errors import TooManyRequests

FILE_NAME = "limits-1.table"
"""Its file in the data folder; the number changes with the layout."""

MINUTE = 60.0
MEGABYTE = 1_000_000

_RECORD = struct.Struct("<d")
_ROUNDING = 0.001


@dataclass(frozen=True, slots=True)
class Rates:
    """What is allowed in a minute; 0 is no limit.

    Attributes:
        requests: of one token, or of one account that signs in otherwise. organisation: requests of all its accounts.
        refused: requests of one network that are not signed in. posted: bytes that an organisation hands in.
    """

    requests: int = 0
    organisation: int = 0
    refused: int = 0
    posted: int = 0


class Limits:
    """The budgets of a hub.

    Args:
        rates: what is allowed. folder: that the table lies in; None keeps it in this process.
        clock: seconds since the epoch.

    Raises:
        NoSuchFile: the table cannot be made in that folder.
    """

    def __init__(
        self, rates: Rates | None = None, folder: Path | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._rates = rates or Rates()
        self._clock = clock
        self._table = SharedTable(None if folder is None else folder / FILE_NAME, _RECORD, lambda values: values[0])

    def request(self, principal: Principal) -> None:
        """Count a request of somebody who has signed in.

        Raises:
            TooManyRequests: his budget or his organisation's is used up; says when there is some again.
        """
        whose = f"token {principal.token}" if principal.token else f"user {principal.user}"
        self._take(whose, self._rates.requests, 1, "this account has used up its requests")
        organisation = f"organisation {principal.organisation}"
        self._take(organisation, self._rates.organisation, 1, "your organisation has used up its requests")

    def refused(self, where: str) -> None:
        """Count a request from the address ``where`` that could not be signed in.

        Raises:
            TooManyRequests: there were too many from that network.
        """
        told = "too many requests that are not signed in"
        self._take(f"refused {network_of(where)}", self._rates.refused, 1, told)

    def posted(self, principal: Principal, size: int) -> None:
        """Count ``size`` bytes that an account hands in; one body is never too large for a full budget.

        Raises:
            TooManyRequests: its organisation's budget is used up.
        """
        told = "your organisation has used up what it may hand in for now"
        self._take(f"posted {principal.organisation}", self._rates.posted, size, told)

    def close(self) -> None:
        """Give the table back."""
        self._table.close()

    def _take(self, whose: str, rate: int, cost: int, told: str) -> None:
        if not rate or not cost:
            return
        now, wait = self._clock(), 0.0
        step = min(cost, rate) * MINUTE / rate

        def taken(values: Values | None) -> Values:
            nonlocal wait
            # A clock that was set back must not empty the bucket for longer than a minute.
            full = max(min(values[0], now + MINUTE), now) if values else now
            wait = full + step - now - MINUTE
            return (full if wait > _ROUNDING else full + step,)

        key = self._table.digest(whose)
        if not self._table.adjust(key, taken):
            self._table.change(key, taken)
        if wait > _ROUNDING:
            seconds = math.ceil(wait)
            raise TooManyRequests(f"{told}: try again in {seconds} s", retry_after=seconds)
