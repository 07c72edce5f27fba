"""The floor of polls: the same web server, handing out ready bytes."""

from __future__ import annotations

from typing import Any

HEADERS = [
    ("Content-Type", "application/taxii+json;version=2.1"),
    ("X-TAXII-Date-Added-Last", "2026-01-01T00:00:00.000000Z"),
    ("Content-Length", "2"),
]


def application(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answer as an empty poll is answered."""
    start_response("200 OK", HEADERS)
    return [b"{}"]
