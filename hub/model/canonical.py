"""The canonical form of a value: one spelling, so that equal things are equal texts everywhere in the hub."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import NamedTuple

from hub.model import addresses, hashes, names, paths, urls


class NotObservable(ValueError):
    """The text is not a value of that kind, or of any kind."""


class Observable(NamedTuple):
    """A kind of thing and one canonical value of it.

    ``key`` is its identity in stores, indexes, events and searches. Kinds that STIX names are STIX type names;
    hashes are ``file-<algorithm>`` and ``certificate-<algorithm>``. A value of ``ipv4-addr`` or ``ipv6-addr`` may be a
    network. What a pattern says of any other property has the kind ``<type>.<path>``, such as ``process.command_line``.
    """

    kind: str
    value: str

    @property
    def key(self) -> str:
        """The observable as one text: ``domain-name:evil.example``."""
        return f"{self.kind}:{self.value}"

    @classmethod
    def from_key(cls, key: str) -> Observable:
        """Read what `key` wrote. The value is taken to be canonical."""
        kind, colon, value = key.partition(":")
        if not colon:
            raise NotObservable(f"not an observable key: {key[:80]!r}")
        return cls(kind, value)


_LONGEST_TEXT = 32768
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_BLANKS = re.compile(r"\s+")
_CVE = re.compile(r"CVE-[0-9]{4}-[0-9]{4,19}")
_KIND = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_.]+)?")


def _plain(text: str) -> str:
    text = unicodedata.normalize("NFC", text).strip()
    if not text or len(text) > _LONGEST_TEXT or _CONTROL.search(text):
        raise ValueError("empty, too long, or with control characters")
    return text


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", _plain(text).lower())


def _settled(form: Callable[[str], str]) -> Callable[[str], str]:
    """Repeat a form that takes things off until nothing more comes off (quotes in blanks in quotes)."""

    def read(text: str) -> str:
        value = form(_plain(text))
        while value and (again := form(_plain(value))) != value:
            value = again
        return value

    return read


def _one_line(text: str) -> str:
    return _BLANKS.sub(" ", _plain(text))


def _vulnerability(text: str) -> str:
    name = _plain(text).upper().replace("_", "-")
    if not _CVE.fullmatch(name):
        raise ValueError("not a CVE number")
    return name


def _of(kind: str, form: Callable[[str], str]) -> Callable[[str], tuple[str, str]]:
    def read(text: str) -> tuple[str, str]:
        value = form(text)
        if not value:
            raise ValueError("nothing is left of it")
        return kind, value

    return read


_FORMS: dict[str, Callable[[str], tuple[str, str]]] = {
    "ipv4-addr": addresses.ip,
    "ipv6-addr": addresses.ip,
    "domain-name": names.host,
    "url": _of("url", urls.url),
    "email-addr": _of("email-addr", names.email),
    "mac-addr": _of("mac-addr", addresses.mac),
    "autonomous-system": _of("autonomous-system", addresses.autonomous_system),
    "certificate-serial": _of("certificate-serial", hashes.serial),
    "file-name": _of("file-name", _settled(paths.file_name)),
    "directory": _of("directory", _settled(paths.directory)),
    "windows-registry-key": _of("windows-registry-key", _settled(paths.registry_key)),
    "user-account": _of("user-account", _folded),
    "process-name": _of("process-name", _settled(paths.file_name)),
    "software": _of("software", _one_line),
    "email-subject": _of("email-subject", _one_line),
    "user-agent": _of("user-agent", _one_line),
    "vulnerability": _of("vulnerability", _vulnerability),
    "ja3": lambda text: ("ja3", hashes.digest("md5", text)),
    "ja3s": lambda text: ("ja3s", hashes.digest("md5", text)),
}


def canonical(kind: str, text: str) -> Observable:
    """Return the observable that a text of a kind means.

    The kind of the answer may be a better one: ``domain-name`` with an address as its value, IPv6 that is mapped IPv4.
    ``canonical(*observable) == observable`` for every answer.

    Raises:
        NotObservable: the text is no value of that kind.
    """
    form = _FORMS.get(kind)
    try:
        if form is not None:
            return Observable(*form(text))
        for family in ("file-", "certificate-"):
            if kind.startswith(family):
                name = hashes.algorithm(kind[len(family) :])
                return Observable(family + name, hashes.digest(name, text))
        if not _KIND.fullmatch(kind):
            raise ValueError("no such kind")
        return Observable(kind, _plain(text))
    except ValueError as error:
        raise NotObservable(f"{text[:80]!r} is no {kind}: {error}") from error
