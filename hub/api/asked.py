"""One request to the API as its views see it: who asks, from where, and what the audit log is told."""

from __future__ import annotations

from flask import request

from hub.access.audit import Audit
from hub.access.principal import Principal

PRINCIPAL = "hub.api.principal"
"""Key of the signed-in account in the WSGI environment; no HTTP header can set it."""


def principal() -> Principal:
    """Return who asks."""
    found: Principal = request.environ[PRINCIPAL]
    return found


def bodiless() -> bool:
    """Say whether only the headers of the answer will be sent."""
    return request.method == "HEAD"


def tell(audit: Audit, action: str, target: str, **details: object) -> None:
    """Add what the account did to the audit log."""
    where = request.environ.get("REMOTE_ADDR", "") or "unknown"
    audit.record(action, target, who=principal().user, where=where, details=details)
