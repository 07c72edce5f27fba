"""Media types of requests (RFC 7231 sections 3.1.1.1 and 5.3.2; TAXII 2.1 section 3.1).

The version parameter is optional, parameters may be quoted and weighted, white space and case do not matter. A client
that accepts anything, or does not say, is given TAXII 2.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

TAXII = "application/taxii+json"
TAXII_21 = "application/taxii+json;version=2.1"

_LONGEST = 4096
_BETWEEN = {sign: re.compile(rf'(?:[^{sign}"]|"(?:[^"\\]|\\.)*"|")+') for sign in ",;"}
_SPECIFICITY = {TAXII: 2, "application/*": 1, "*/*": 0}


def accepts_taxii(accept: str | None) -> bool:
    """Say whether an ``Accept`` header can be answered with TAXII 2.1; the most specific range decides."""
    if accept is None or not accept.strip():
        return True
    if len(accept) > _LONGEST:
        return False
    ranges = []
    for media, parameters in _elements(accept):
        if media in _SPECIFICITY and parameters.get("version", "2.1") == "2.1":
            ranges.append((_SPECIFICITY[media] + ("version" in parameters), _weight(parameters.get("q", "1"))))
    return bool(ranges) and max(ranges)[1] > 0


def is_taxii(content_type: str | None) -> bool:
    """Say whether a ``Content-Type`` header names TAXII 2.1, with or without the version."""
    if content_type is None or len(content_type) > _LONGEST:
        return False
    media, parameters = next(_elements(content_type), ("", {}))
    return media == TAXII and parameters.get("version", "2.1") == "2.1"


def _elements(header: str) -> Iterator[tuple[str, dict[str, str]]]:
    for element in _BETWEEN[","].findall(header):
        media, *rest = _BETWEEN[";"].findall(element) or [""]
        parameters = {}
        for part in rest:
            name, _, value = part.partition("=")
            parameters[name.strip().lower()] = _unquoted(value.strip())
        yield media.strip().lower(), parameters


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return re.sub(r"\\(.)", r"\1", value[1:-1])
    return value


def _weight(text: str) -> float:
    return float(text) if re.fullmatch(r"[01](\.\d{0,3})?", text, re.ASCII) else 1.0
