"""Warning lists and the city's own assets: what must not become a hit, and what hits with a label.

The lists' data come with the package pymispwarninglists (66 MB of JSON, 119 lists); its code is not used: it is exact
for networks only in a mode that needs 13 s to load. An index is built once and kept in a file: sorted hashes for
names, and for addresses the borders between which the same lists apply, so that a look-up is one bisection.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import ipaddress
import json
import os
import socket
import tempfile
import tomllib
from array import array
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from hub.errors import BadSettings, NoSuchFile
from hub.model.observables import NotObservable, Observable, canonical

Effect = Literal["refuse", "annotate"]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

RESERVED = "reserved"
"""Label of the lists of addresses and names that nobody on the Internet has."""

_PACKAGE = "pymispwarninglists"
_FORMAT = "1"
"""Rises when the index file's layout changes."""
_REMEMBERED = 1 << 16


@dataclass(frozen=True, slots=True)
class Warning:
    """One list that a value stands on.

    Attributes:
        list: its name. effect: ``refuse`` or ``annotate``. label: for people and sightings. penalty: of the score.
    """

    list: str
    effect: Effect
    label: str
    penalty: int


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    names: tuple[str, ...] = Field(min_length=1)
    entries: tuple[str, ...] = ()
    effect: Effect
    match: Literal["name", "under", "network", "hash"]
    label: str
    penalty: int = Field(ge=0, le=100)


def _domain(name: str) -> str:
    return canonical("domain-name", name).value


class _Assets(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
    domains: tuple[Annotated[str, AfterValidator(_domain)], ...] = ()


class _Index(msgspec.Struct):
    """The index file: list names with the declaration each belongs to, hashes of names, borders of addresses."""

    lists: list[tuple[str, int]]
    names: bytes
    name_lists: bytes
    under: bytes
    under_lists: bytes
    borders4: bytes
    sets4: bytes
    borders6: list[bytes]
    sets6: list[int]
    sets: list[list[int]]


class WarningLists:
    """The index in memory. Made by `load`."""

    def __init__(self, index: _Index, declared: list[_Declared], assets: _Assets) -> None:
        self._warnings = [
            Warning(name, declared[number].effect, declared[number].label, declared[number].penalty)
            for name, number in index.lists
        ]
        self._names = (_array("Q", index.names), _array("H", index.name_lists))
        self._under = (_array("Q", index.under), _array("H", index.under_lists))
        self._borders4, self._sets4 = _array("I", index.borders4), _array("H", index.sets4)
        self._borders6 = [int.from_bytes(border) for border in index.borders6]
        self._sets6 = index.sets6
        self._sets = [tuple(self._warnings[number] for number in numbers) for numbers in index.sets]
        self._own_networks = assets.networks
        self._own_domains = frozenset(assets.domains)
        self.check = lru_cache(_REMEMBERED)(self._check)

    @classmethod
    def load(cls, rules_folder: Path, assets: Path | None, *, cache: Path | None = None) -> WarningLists:
        """Read the declarations, the city's assets, and the index, which is built when it is not there.

        Args:
            rules_folder: holds ``warninglists.toml``. assets: TOML with ``networks`` and ``domains``, or None.
            cache: folder for the index file; None takes the user's own cache folder.

        Raises:
            NoSuchFile, BadSettings: a file is missing or wrong.
        """
        text = _text(rules_folder / "warninglists.toml")
        declared = _parse(text, "warninglists.toml")
        own = _assets(assets) if assets is not None else _Assets()
        version = importlib.metadata.version(_PACKAGE)
        key = hashlib.sha256(f"{_FORMAT}|{version}|{text}".encode()).hexdigest()[:24]
        folder = cache or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "threathub"
        return cls(_index(folder / f"warninglists-{key}.bin", declared), declared, own)

    def is_own(self, observable: Observable) -> bool:
        """Say whether a value is the city's: its addresses, its names and all below, and URLs and mail there."""
        kind, value = observable
        if kind == "url":
            return (host := _host(value)) is not None and self.is_own(host)
        if kind == "email-addr":
            value = value.rpartition("@")[2]
            kind = "domain-name"
        if kind == "domain-name":
            return any(name in self._own_domains for name in _parents(value))
        if kind in ("ipv4-addr", "ipv6-addr") and self._own_networks:
            network = ipaddress.ip_network(value, strict=False)
            return any(own.version == network.version and own.overlaps(network) for own in self._own_networks)
        return False

    def _check(self, observable: Observable) -> tuple[Warning, ...]:
        """Return what a value stands on, worst first."""
        found: dict[str, Warning] = {}
        if self.is_own(observable):
            found["own"] = Warning("assets", "refuse", "own-asset", 100)
        for warning in self._listed(observable):
            known = found.get(warning.label)
            if known is None or known.penalty < warning.penalty:
                found[warning.label] = warning
        return tuple(sorted(found.values(), key=lambda one: (one.effect != "refuse", -one.penalty, one.label)))

    def _listed(self, observable: Observable) -> Iterator[Warning]:
        kind, value = observable
        if kind == "ipv4-addr" and "/" not in value:
            yield from self._at_address4(int.from_bytes(socket.inet_aton(value)))
        elif kind in ("ipv4-addr", "ipv6-addr"):
            yield from self._of_network(ipaddress.ip_network(value, strict=False))
        elif kind == "domain-name":
            yield from self._at(self._names, value)
            for name in _parents(value):
                yield from self._at(self._under, name)
        elif kind == "email-addr":
            for name in _parents(value.rpartition("@")[2]):
                yield from (one for one in self._at(self._under, name) if one.effect == "annotate")
        elif kind == "url" and (host := _host(value)) is not None:
            bare = urlsplit(value).path in ("", "/") and not urlsplit(value).query
            for warning in self._listed(host):
                if warning.effect == "annotate" or bare or warning.label == RESERVED:
                    yield warning
        elif kind.startswith("file-"):
            yield from self._at(self._names, value)

    def _at(self, table: tuple[array[int], array[int]], name: str) -> Iterator[Warning]:
        hashes, lists = table
        wanted = _hash(name)
        place = bisect_left(hashes, wanted)
        while place < len(hashes) and hashes[place] == wanted:
            yield self._warnings[lists[place]]
            place += 1

    def _at_address4(self, address: int) -> tuple[Warning, ...]:
        place = bisect_right(self._borders4, address) - 1
        return self._sets[self._sets4[place]] if place >= 0 else ()

    def _of_network(self, network: Network) -> Iterable[Warning]:
        first = int(network.network_address)
        if network.version == 4:
            at_first = self._at_address4(first)
        else:
            place = bisect_right(self._borders6, first) - 1
            at_first = self._sets[self._sets6[place]] if place >= 0 else ()
        if network.num_addresses == 1:
            return at_first
        # A network is on a list when its last address is on it too.
        last = type(network)((int(network.broadcast_address), network.max_prefixlen))
        at_last = {one.list for one in self._of_network(last)}
        return [one for one in at_first if one.list in at_last]


def _index(file: Path, declared: list[_Declared]) -> _Index:
    try:
        return msgspec.msgpack.decode(file.read_bytes(), type=_Index)
    except (OSError, msgspec.DecodeError):
        index = _build(declared)
    draft = None
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as stream:
            draft = Path(stream.name)
            stream.write(msgspec.msgpack.encode(index))
        draft.replace(file)
    except OSError:
        # Nowhere to keep it: the next start builds it again.
        if draft is not None:
            with contextlib.suppress(OSError):
                draft.unlink()
    return index


def _build(declared: list[_Declared]) -> _Index:
    lists: list[tuple[str, int]] = []
    tables: dict[str, list[tuple[int, int]]] = {"name": [], "under": []}
    networks: dict[int, list[tuple[int, int, int]]] = {4: [], 6: []}
    for number, declaration in enumerate(declared):
        for name in declaration.names:
            lists.append((name, number))
            for entry in declaration.entries or _published(name):
                if declaration.match == "network":
                    if (network := _network(entry)) is not None:
                        bounds = int(network.network_address), int(network.broadcast_address) + 1
                        networks[network.version].append((*bounds, len(lists) - 1))
                    continue
                table = tables["under" if declaration.match == "under" else "name"]
                for spelling in _spellings(entry, declaration.match):
                    table.append((_hash(spelling), len(lists) - 1))
    sets: dict[frozenset[int], int] = {}
    borders4, sets4 = _borders(networks[4], sets)
    borders6, sets6 = _borders(networks[6], sets)
    names, under = sorted(set(tables["name"])), sorted(set(tables["under"]))
    return _Index(
        lists=lists,
        names=array("Q", [one for one, _ in names]).tobytes(),
        name_lists=array("H", [one for _, one in names]).tobytes(),
        under=array("Q", [one for one, _ in under]).tobytes(),
        under_lists=array("H", [one for _, one in under]).tobytes(),
        borders4=array("I", [border for border in borders4 if border < 1 << 32]).tobytes(),
        sets4=array("H", sets4[: sum(border < 1 << 32 for border in borders4)]).tobytes(),
        borders6=[border.to_bytes(17) for border in borders6],
        sets6=sets6,
        sets=[sorted(one) for one in sets],
    )


def _borders(networks: list[tuple[int, int, int]], sets: dict[frozenset[int], int]) -> tuple[list[int], list[int]]:
    """Return the addresses at which the lists that apply change, and which apply from there on."""
    changes: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for begin, end, number in networks:
        changes[begin].append((number, 1))
        changes[end].append((number, -1))
    active: dict[int, int] = defaultdict(int)
    borders, numbers = [], []
    for border in sorted(changes):
        for number, step in changes[border]:
            active[number] += step
        here = frozenset(number for number, count in active.items() if count)
        borders.append(border)
        numbers.append(sets.setdefault(here, len(sets)))
    return borders, numbers


def _published(name: str) -> Iterator[str]:
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise NoSuchFile(f"the package {_PACKAGE} is not installed: run `make install`")
    file = Path(spec.origin).parent / "data" / "misp-warninglists" / "lists" / name / "list.json"
    if not file.is_file():
        raise BadSettings(f"warninglists.toml names {name}, which {_PACKAGE} does not have")
    entries = json.loads(file.read_text(encoding="utf-8"))["list"]
    yield from (str(entry) for entry in entries)


def _network(entry: str) -> Network | None:
    try:
        return ipaddress.ip_network(entry.strip(), strict=False)
    except ValueError:
        return None


def _spellings(entry: str, match: str) -> Iterator[str]:
    if match == "hash":
        yield entry.strip().lower()
        return
    try:
        name = canonical("domain-name", entry.strip().lstrip(".")).value
    except NotObservable:
        return
    yield name
    if match == "name":
        yield name.removeprefix("www.") if name.startswith("www.") else f"www.{name}"


def _host(url: str) -> Observable | None:
    host = urlsplit(url).hostname or ""
    for kind in ("ipv4-addr", "ipv6-addr", "domain-name"):
        try:
            return canonical(kind, host)
        except NotObservable:
            continue
    return None


def _parents(name: str) -> Iterator[str]:
    while name:
        yield name
        name = name.partition(".")[2]


def _hash(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest())


def _array(kind: str, content: bytes) -> array[int]:
    made: array[int] = array(kind)
    made.frombytes(content)
    return made


def _assets(file: Path) -> _Assets:
    try:
        return _Assets.model_validate(tomllib.loads(_text(file)))
    except (tomllib.TOMLDecodeError, ValidationError) as fault:
        raise BadSettings(f"{file.name} is no list of networks and domains: {_first(fault)}") from None


def _parse(text: str, name: str) -> list[_Declared]:
    try:
        return TypeAdapter(list[_Declared]).validate_python(tomllib.loads(text)["list"])
    except (tomllib.TOMLDecodeError, KeyError, ValidationError) as fault:
        raise BadSettings(f"{name} is no declaration of warning lists: {_first(fault)}") from None


def _first(fault: Exception) -> str:
    if isinstance(fault, ValidationError):
        found = fault.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(str(part) for part in found['loc'])}: {found['msg']}"
    return str(fault)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise NoSuchFile(f"{file.name} cannot be read") from None
