"""Defanged spellings: how people write a live address so that nobody clicks it (``hxxp://evil[.]example``)."""

from __future__ import annotations

import re

_BRACKETED = re.compile(r"[\[({]\s?(?:(\.|dot)|(@|at)|(:|://|/))\s?[\])}]|(\[\.|\.\])", re.IGNORECASE)
_BRACKETED_SQUARE = re.compile(r"\[\s?(?:(\.|dot)|(@|at)|(:|://|/))\s?\]", re.IGNORECASE)
_SCHEME = re.compile(
    r"(?<![a-z0-9])(?:h(?:xx|tt|\*\*|xt|tx)p(s?)|(f)[xt]p(s?))\s?(?=:)|\[(https?|ftp)\](?=:)", re.IGNORECASE
)
_IPV6_LIKE = re.compile(r"[0-9a-f:./]*", re.IGNORECASE)
_PASSES = 4
"""How often brackets inside brackets are undone; people do it once."""
_AUTHORITY = re.compile(r"([a-z][a-z0-9+.-]*)://([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)


def _plain(match: re.Match[str]) -> str:
    if match[1] or (match.re is _BRACKETED and match[4]):
        return "."
    return "@" if match[2] else match[3]


def _plain_scheme(match: re.Match[str]) -> str:
    if match[4]:
        return match[4].lower()
    return "ftp" + (match[3] or "").lower() if match[2] else "http" + (match[1] or "").lower()


def refang(text: str, *, square_only: bool = False) -> str:
    """Undo every defanged spelling in a text: ``[.] (.) {dot} [:] [@] [at] hxxp fxp [http]``.

    Args:
        text: any text, also a whole pasted mail.
        square_only: leave ``(.)`` and ``hxxp`` alone, which may be real inside the path of a URL.
    """
    pattern = _BRACKETED_SQUARE if square_only else _BRACKETED
    for _ in range(_PASSES):
        plain = pattern.sub(_plain, text)
        if not square_only:
            plain = _SCHEME.sub(_plain_scheme, plain)
        if plain == text:
            break
        text = plain
    return text


def defang(text: str) -> str:
    """Write one value so that no program makes a link of it: ``hxxps://evil[.]example/a.b``, ``2001[:]db8[:][:]1``."""
    match = _AUTHORITY.fullmatch(text)
    if match:
        scheme, authority, rest = match.groups()
        return f"{re.sub('^http', 'hxxp', scheme)}://{authority.replace('.', '[.]').replace('@', '[@]')}{rest}"
    if text.count(":") > 1 and _IPV6_LIKE.fullmatch(text):
        text = text.replace(":", "[:]")
    return text.replace(".", "[.]").replace("@", "[@]")
