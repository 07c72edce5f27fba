"""What the reference library stix2 says of a refused object: a second opinion for the person who must mend it.

It is two orders of magnitude slower than the gate's own check, so it is asked one object at a time, on request.
"""

from __future__ import annotations

_LONGEST = 500


def second_opinion(raw: bytes) -> str:
    """Return in one sentence whether stix2 would take an object, and if not, why."""
    import stix2  # takes a fifth of a second, which no other command should pay
    from stix2.exceptions import STIXError

    try:
        stix2.parse(raw.decode(), allow_custom=True)
    except (STIXError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as fault:
        reason = " ".join(str(fault).split()) or type(fault).__name__
        return f"stix2 refuses it too: {reason[:_LONGEST]}"
    return "stix2 would take it"
