"""The observables in STIX objects that state values: SCOs, observed-data of STIX 2.0, and look-alikes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hub.model.canonical import NotObservable, Observable, canonical
from hub.model.recognition import recognise

Raw = Iterator[tuple[str, Any]]


def of_object(obj: Mapping[str, Any]) -> tuple[Observable, ...]:
    """Return the observables that an object states, in order and without repeats; what cannot be read is left out.

    Taken are SCOs, the objects inside a STIX 2.0 ``observed-data``, CVE numbers of vulnerabilities, and MISP's
    ``x-misp-attribute``. Indicators state patterns, not values: see `hub.model.patterns`.
    """
    found: dict[Observable, None] = {}
    for kind, value in _values(obj):
        if isinstance(value, str | int) and not isinstance(value, bool):
            try:
                found[canonical(kind, str(value))] = None
            except NotObservable:
                continue
    if obj.get("type") == "x-misp-attribute":
        with contextlib.suppress(NotObservable):
            found[recognise(str(obj.get("x_misp_value", "")), str(obj.get("x_misp_type", "")))] = None
    return tuple(found)


def _values(obj: Mapping[str, Any]) -> Raw:
    read = _READERS.get(str(obj.get("type")))
    if read:
        yield from read(obj)


def _property(name: str, kind: str) -> Callable[[Mapping[str, Any]], Raw]:
    def read(obj: Mapping[str, Any]) -> Raw:
        yield kind, obj.get(name)

    return read


def _hashes(obj: Mapping[str, Any], family: str = "file") -> Raw:
    found = obj.get("hashes")
    if isinstance(found, Mapping):
        for name, value in found.items():
            yield f"{family}-{name}", value


def _file(obj: Mapping[str, Any]) -> Raw:
    yield from _hashes(obj)
    yield "file-name", obj.get("name")


def _certificate(obj: Mapping[str, Any]) -> Raw:
    yield from _hashes(obj, "certificate")
    yield "certificate-serial", obj.get("serial_number")


def _account(obj: Mapping[str, Any]) -> Raw:
    yield "user-account", obj.get("user_id")
    yield "user-account", obj.get("account_login")


def _process(obj: Mapping[str, Any]) -> Raw:
    yield "process-name", obj.get("name")
    yield "process.command_line", obj.get("command_line")


def _software(obj: Mapping[str, Any]) -> Raw:
    yield "software", obj.get("name")
    yield "software.cpe", obj.get("cpe")


def _traffic(obj: Mapping[str, Any]) -> Raw:
    extensions = obj.get("extensions")
    request = extensions.get("http-request-ext") if isinstance(extensions, Mapping) else None
    headers = request.get("request_header") if isinstance(request, Mapping) else None
    if isinstance(headers, Mapping):
        agent = headers.get("User-Agent")
        for value in agent if isinstance(agent, list) else [agent]:
            yield "user-agent", value


def _vulnerability(obj: Mapping[str, Any]) -> Raw:
    yield "vulnerability", obj.get("name")
    references = obj.get("external_references")
    for reference in references if isinstance(references, list) else ():
        if isinstance(reference, Mapping) and reference.get("source_name") == "cve":
            yield "vulnerability", reference.get("external_id")


def _observed(obj: Mapping[str, Any]) -> Raw:
    inner = obj.get("objects")
    if isinstance(inner, Mapping):
        for part in inner.values():
            if isinstance(part, Mapping) and part.get("type") != "observed-data":
                yield from _values(part)


_READERS: dict[str, Callable[[Mapping[str, Any]], Raw]] = {
    "artifact": _hashes,
    "autonomous-system": _property("number", "autonomous-system"),
    "directory": _property("path", "directory"),
    "domain-name": _property("value", "domain-name"),
    "email-addr": _property("value", "email-addr"),
    "email-message": _property("subject", "email-subject"),
    "file": _file,
    "ipv4-addr": _property("value", "ipv4-addr"),
    "ipv6-addr": _property("value", "ipv6-addr"),
    "mac-addr": _property("value", "mac-addr"),
    "mutex": _property("name", "mutex"),
    "network-traffic": _traffic,
    "observed-data": _observed,
    "process": _process,
    "software": _software,
    "url": _property("value", "url"),
    "user-account": _account,
    "vulnerability": _vulnerability,
    "windows-registry-key": _property("key", "windows-registry-key"),
    "x509-certificate": _certificate,
}
