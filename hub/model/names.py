"""One spelling for domain names and mail addresses. Functions raise ValueError for what is not such a value."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator

import idna
from publicsuffixlist import PublicSuffixList

from hub.model import addresses
from hub.model.defang import refang

_NAME = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_NUMBER_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
_DOTS = re.compile("[.。．｡]")
_LONGEST_NAME = 253
_LOCAL_PART = re.compile(r"[^\s@<>()\[\]\x00-\x1f\x7f,;:\\]{1,255}")
# Names that no registry gives out but that feeds, logs and examples hold.
_SPECIAL_TLDS = frozenset(
    {
        "example",
        "test",
        "invalid",
        "localhost",
        "local",
        "onion",
        "i2p",
        "bit",
        "lan",
        "internal",
        "home",
        "corp",
        "eth",
    }
)


@functools.cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


def host(text: str) -> tuple[str, str]:
    """Return kind and canonical form of a host: a name in lower-case A-labels without end dot, or an address.

    A text whose last label is a number is an address or nothing (WHATWG URL, "ends in a number").
    """
    if _NAME.fullmatch(text) and len(text) <= _LONGEST_NAME and text[-1] > "9":
        return "domain-name", text
    text = text.strip()
    if "[" in text or "(" in text or "{" in text:
        text = refang(text)
    if ":" in text:
        return addresses.ip(text)
    name = (_ascii_name(text) if not text.isascii() else text.lower()).removesuffix(".")
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise ValueError("not a domain name")
    if _NUMBER_LABEL.fullmatch(name.rpartition(".")[2]):
        return addresses.ip(name)
    return "domain-name", name


def _ascii_name(text: str) -> str:
    """Write an internationalised name in A-labels (UTS 46); names that IDNA 2008 forbids (emoji) in plain punycode."""
    if len(text) > _LONGEST_NAME:  # before the codecs, whose time grows with the square of it
        raise ValueError("not a domain name: too long")
    try:
        return idna.encode(text, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        labels = []
        for label in _DOTS.split(unicodedata.normalize("NFKC", text).lower()):
            if not all(letter.isprintable() and not letter.isspace() for letter in label):
                raise ValueError("not a domain name") from None
            labels.append(label if label.isascii() else "xn--" + label.encode("punycode").decode("ascii"))
        return ".".join(labels)


def email(text: str) -> str:
    """Return a mail address in lower case with a canonical domain; ``mailto:`` and angle brackets are taken off."""
    text = refang(text.strip()) if "[" in text or "(" in text or "{" in text else text.strip()
    if text.startswith("<") and text.endswith(">"):
        text = text[1:-1]
    if text[:7].lower() == "mailto:":
        text = text[7:].partition("?")[0]
    local, at, domain = text.rpartition("@")
    local = unicodedata.normalize("NFC", unicodedata.normalize("NFC", local).lower())
    if not at or not _LOCAL_PART.fullmatch(local):
        raise ValueError("not a mail address")
    kind, name = host(domain[1:-1] if domain.startswith("[") and domain.endswith("]") else domain)
    return f"{local}@{name}" if kind == "domain-name" else f"{local}@[{name}]"


def parents(name: str) -> Iterator[str]:
    """Yield the domains above a canonical name, nearest first, down to the registrable one; no public suffix."""
    above = name.partition(".")[2]
    if not above:
        return
    registrable = _suffixes().privatesuffix(name)
    if registrable is None:
        return
    while len(above) >= len(registrable):
        yield above
        above = above.partition(".")[2]


def is_known_tld(label: str) -> bool:
    """Say whether a last label is one that names end in: on the public suffix list, or reserved for special use."""
    return label in _SPECIAL_TLDS or _suffixes_strict().publicsuffix(f"a.{label}") is not None


@functools.cache
def _suffixes_strict() -> PublicSuffixList:
    return PublicSuffixList(accept_unknown=False)
