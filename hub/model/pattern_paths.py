"""Which observable a comparison of a STIX pattern speaks of, and which object path a kind is written with."""

from __future__ import annotations

from hub.model import hashes
from hub.model.canonical import NotObservable, Observable, canonical
from hub.model.pattern_grammar import NAME, TYPE, quoted

Path = tuple[str, ...]
"""Components of an object path without quotes; list steps are left out (``to_refs[*].value``: to_refs, value)."""

_WRITTEN: dict[str, str] = {
    "ipv4-addr": "ipv4-addr:value",
    "ipv6-addr": "ipv6-addr:value",
    "domain-name": "domain-name:value",
    "url": "url:value",
    "email-addr": "email-addr:value",
    "mac-addr": "mac-addr:value",
    "autonomous-system": "autonomous-system:number",
    "certificate-serial": "x509-certificate:serial_number",
    "file-name": "file:name",
    "directory": "directory:path",
    "windows-registry-key": "windows-registry-key:key",
    "mutex": "mutex:name",
    "user-account": "user-account:account_login",
    "email-subject": "email-message:subject",
    "software": "software:name",
    "process-name": "process:image_ref.name",
    "user-agent": "network-traffic:extensions.'http-request-ext'.request_header.'User-Agent'",
    "vulnerability": "vulnerability:name",
}
"""Object path for each kind that STIX has an object for."""

_READ: dict[tuple[str, Path], str] = {
    (path.partition(":")[0], tuple(path.replace("'", "").partition(":")[2].split("."))): kind
    for kind, path in _WRITTEN.items()
} | {
    ("win-registry-key", ("key",)): "windows-registry-key",
    ("user-account", ("user_id",)): "user-account",
    ("process", ("name",)): "process-name",
    ("file", ("parent_directory_ref", "path")): "directory",
    ("email-message", ("from_ref", "value")): "email-addr",
    ("email-message", ("sender_ref", "value")): "email-addr",
    ("email-message", ("to_refs", "value")): "email-addr",
    ("email-message", ("cc_refs", "value")): "email-addr",
}

_HOST = "host"
_HOST_PATHS = {
    ("network-traffic", ("src_ref", "value")),
    ("network-traffic", ("dst_ref", "value")),
    ("domain-name", ("resolves_to_refs", "value")),
}
_HASH_FAMILIES = {"file": "file-", "artifact": "file-", "x509-certificate": "certificate-"}


def is_hash_path(path: Path) -> bool:
    """Say whether a path ends in a hash of the object: ``hashes.MD5``."""
    return len(path) > 1 and path[-2] == "hashes"


def observable_of(object_type: str, path: Path, text: str) -> Observable | None:
    """Return what a comparison ``type:path = 'text'`` speaks of, None when that is no value to look up."""
    kind = _READ.get((object_type, path))
    if kind is None:
        if is_hash_path(path) and object_type in _HASH_FAMILIES:
            kind = _HASH_FAMILIES[object_type] + path[-1]
        elif (object_type, path) in _HOST_PATHS:
            kind = _HOST
        elif path[-1] == "type" or not all(map(NAME.fullmatch, path)):
            return None
        else:
            kind = object_type if path == ("value",) else f"{object_type}.{'.'.join(path)}"
    try:
        return canonical("domain-name" if kind == _HOST else kind, text)
    except NotObservable:
        return None


def path_of(kind: str) -> str:
    """Return the object path that a kind is written with in a pattern: ``file:hashes.'SHA-256'``."""
    written = _WRITTEN.get(kind)
    if written:
        return written
    for family, object_type in (("file-", "file"), ("certificate-", "x509-certificate")):
        if kind.startswith(family):
            name = hashes.stix_name(kind[len(family) :])
            return f"{object_type}:hashes.{name if NAME.fullmatch(name) else quoted(name)}"
    object_type, dot, path = kind.partition(".")
    if not TYPE.fullmatch(object_type):
        raise NotObservable(f"there is no pattern for {kind}")
    return f"{object_type}:{path if dot else 'value'}"
