"""What the fields of Zeek's streams mean: one small function per stream that states more than two addresses.

A stream that is not listed gives its addresses. Left out on purpose: passwords, recipients and subjects of mail (the
city's own people), and names in certificates' SAN lists (one certificate of a CDN holds a hundred unrelated names).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

from connectors.sensors.values import KnownKeys, distinct
from hub.model.events import Event

Row = dict[str, Any]
"""Fields of one record by their dotted names; what is unset is missing."""

Keys = list[str | None]

_KINDS = {
    "conn": "flow",
    "dns": "dns",
    "http": "http",
    "ssl": "tls",
    "x509": "tls",
    "files": "file",
    "notice": "alert",
    "intel": "alert",
    "signatures": "alert",
}
_MAIL = re.compile(r"[^\s<>\"',;]+@[^\s<>\"',;]+")
_INTEL_KINDS = {
    "Intel::ADDR": "ipv4-addr",
    "Intel::SUBNET": "ipv4-addr",
    "Intel::DOMAIN": "domain-name",
    "Intel::EMAIL": "email-addr",
    "Intel::USER_NAME": "user-account",
    "Intel::CERT_HASH": "certificate-sha1",
    "Intel::FILE_NAME": "file-name",
}
_HASHES = {32: "file-md5", 40: "file-sha1", 64: "file-sha256"}
_FTP_REFUSED, _FTP_SIGNED_IN = 530, 230


def _text(row: Row, name: str) -> str | None:
    value = row.get(name)
    return value if isinstance(value, str) and value else None


def _texts(row: Row, name: str) -> list[str]:
    value = row.get(name)
    if isinstance(value, str):
        return [value]
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _number(row: Row, name: str) -> int | None:
    value = row.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _of_dns(row: Row, known: KnownKeys) -> Keys:
    return [known.hosts[name] for name in (*_texts(row, "query"), *_texts(row, "answers"))]


def _of_http(row: Row, known: KnownKeys) -> Keys:
    # Zeek cuts the port off the Host header; the server's own port stands for it.
    return known.web(_text(row, "host"), _text(row, "uri"), _number(row, "id.resp_p"))


def _of_ssl(row: Row, known: KnownKeys) -> Keys:
    keys = [known.hosts[name] for name in _texts(row, "server_name")]
    leaf = _texts(row, "cert_chain_fps")[:1]
    for kind, values in (
        ("certificate-sha256", leaf),
        ("certificate-sha1", _texts(row, "resp_certificate_sha1")),
        ("certificate-md5", _texts(row, "cert_hash")),
        ("ja3", _texts(row, "ja3")),
        ("ja3s", _texts(row, "ja3s")),
    ):
        keys += [known.of(kind, value) for value in values]
    return keys


def _of_x509(row: Row, known: KnownKeys) -> Keys:
    return [
        *(known.of("certificate-sha256", value) for value in _texts(row, "fingerprint")),
        *(known.of("certificate-serial", value) for value in _texts(row, "certificate.serial")),
    ]


def _of_files(row: Row, known: KnownKeys) -> Keys:
    keys = [known.addresses[host] for name in ("tx_hosts", "rx_hosts") for host in _texts(row, name)]
    for name in ("sha256", "sha1", "md5"):
        keys += [known.of(f"file-{name}", value) for value in _texts(row, name)]
    return keys


def _of_intel(row: Row, known: KnownKeys) -> Keys:
    value, kind = _text(row, "seen.indicator"), _text(row, "seen.indicator_type")
    if value is None or kind is None:
        return []
    if kind == "Intel::URL":
        return [known.urls[value if "://" in value else f"http://{value}"]]
    hub_kind = _HASHES.get(len(value)) if kind == "Intel::FILE_HASH" else _INTEL_KINDS.get(kind)
    return [known.of(hub_kind, value)] if hub_kind else []


def _of_smtp(row: Row, known: KnownKeys) -> Keys:
    keys: Keys = []
    for name in ("mailfrom", "from", "reply_to"):
        for text in _texts(row, name):
            if address := _MAIL.search(text):
                keys.append(known.of("email-addr", address[0]))
    for name in ("x_originating_ip", "path"):
        keys += [known.addresses[host] for host in _texts(row, name)]
    return keys


def _of_ftp(row: Row, known: KnownKeys) -> Keys:
    return [known.urls[link] for link in _texts(row, "arg") if "://" in link]


_MORE: dict[str, tuple[Callable[[Row, KnownKeys], Keys], tuple[str, ...]]] = {
    "dns": (_of_dns, ("query", "answers")),
    "http": (_of_http, ("host", "uri")),
    "ssl": (
        _of_ssl,
        ("server_name", "cert_chain_fps", "resp_certificate_sha1", "cert_hash", "ja3", "ja3s"),
    ),
    "x509": (_of_x509, ("fingerprint", "certificate.serial")),
    "files": (_of_files, ("tx_hosts", "rx_hosts", "sha256", "sha1", "md5")),
    "intel": (_of_intel, ("seen.indicator", "seen.indicator_type")),
    "smtp": (_of_smtp, ("mailfrom", "from", "reply_to", "x_originating_ip", "path")),
    "ftp": (_of_ftp, ("arg",)),
}
"""The function of a stream, and the fields that it reads."""

_Names = tuple[tuple[str, tuple[str, ...]], ...]

_ENDS: _Names = (
    ("src", ("source_h", "id.orig_h", "src", "src_addr", "tx_hosts")),
    ("dst", ("destination_h", "id.resp_h", "dst", "dst_addr", "rx_hosts")),
)
"""Newer ICSNPP logs name who spoke (``source_h``) beside who connected (``id``); the first that is there counts."""

_STATED: _Names = (
    ("src_port", ("source_p", "id.orig_p", "src_port")),
    ("dst_port", ("destination_p", "id.resp_p", "p", "dst_port")),
)
_NAMED: _Names = (
    ("session", ("uid",)),
    ("service", ("service",)),
    ("signature", ("note", "sig_id")),
    ("user", ("user", "cookie", "client")),
    ("function", ("func", "fc_request", "function_code", "pdu_service")),
)
_SERVICE = re.compile(
    r"(?:bacnet|cip|dce_rpc|dhcp|dnp3|dns|enip|ftp|genisys|http|kerberos|modbus|mqtt|mysql|ntlm|ntp|opcua|profinet|radius"
    r"|rdp|rfb|s7comm|sip|smb|smtp|snmp|socks|ssh|ssl|syslog|tftp)(?![a-z])"
)
"""Streams that are about one protocol; ICSNPP's are several a protocol: ``dnp3_control``, ``s7comm_plus``."""

_ONLY_IN = {"service": ("conn",), "user": ("ftp", "rdp", "kerberos"), "signature": ("notice", "signatures")}
_READ_ALWAYS = frozenset(name for group in (_ENDS, _STATED, _NAMED) for _, names in group for name in names) | {
    "auth_success",
    "reply_code",
}

_SIGNS = (
    ("conn_state", "conn"),
    ("query", "dns"),
    ("uri", "http"),
    ("request_body_len", "http"),
    ("cert_chain_fuids", "ssl"),
    ("server_name", "ssl"),
    ("seen.indicator", "intel"),
    ("note", "notice"),
    ("analyzers", "files"),
    ("certificate.serial", "x509"),
    ("helo", "smtp"),
    ("mailfrom", "smtp"),
    ("auth_attempts", "ssh"),
    ("request_type", "kerberos"),
    ("stratum", "ntp"),
    ("fc_request", "dnp3"),
    ("func", "modbus"),
    ("pdu_service", "bacnet"),
)


def guess(row: Row) -> str:
    """Return the name of the stream of a JSON record that does not name it, or "", by fields only that stream has."""
    return next((stream for field, stream in _SIGNS if field in row), "")


def fields_of(stream: str) -> frozenset[str]:
    """Return the names of the fields that `event` reads of a stream."""
    more = _MORE.get(stream)
    return _READ_ALWAYS | frozenset(more[1]) if more else _READ_ALWAYS


@functools.lru_cache(maxsize=1024)
def _stated_by(stream: str) -> tuple[_Names, str | None, Callable[[Row, KnownKeys], Keys] | None]:
    """Return the named fields that a stream may state, its protocol, and the function of what more it holds."""
    named = tuple((field, names) for field, names in _NAMED if field not in _ONLY_IN or stream in _ONLY_IN[field])
    service = _SERVICE.match(stream)
    return named, service[0] if service else None, _MORE[stream][0] if stream in _MORE else None


def event(stream: str, row: Row, time: int, sensor: str, raw: bytes, known: KnownKeys) -> Event:
    """Make the event of one record."""
    named, service, more = _stated_by(stream)
    fields: dict[str, str | int] = {}
    keys: Keys = []
    for field, names in _ENDS:
        for name in names:
            if (host := row.get(name)) is not None:
                if isinstance(host, list) and host:
                    host = host[0]
                if isinstance(host, str) and (key := known.addresses[host]) is not None:
                    fields[field] = key
                    keys.append(key)
                    break
    for field, names in _STATED:
        for name in names:
            if isinstance(number := row.get(name), int) and number is not True and number is not False:
                fields[field] = number
                break
    for field, names in named:
        for name in names:
            if isinstance(text := row.get(name), str) and text:
                fields[field] = text
                break
    if service is not None:
        fields["service"] = service
    if more is not None:
        keys += more(row, known)
    return Event(time, sensor, _kind(stream, row), distinct(keys), fields, raw)


def _kind(stream: str, row: Row) -> str:
    if stream == "ssh" and isinstance(success := row.get("auth_success"), bool):
        return "login-success" if success else "login-failed"
    if stream == "ftp":
        code = row.get("reply_code")
        return {_FTP_REFUSED: "login-failed", _FTP_SIGNED_IN: "login-success"}.get(code, "other")  # type: ignore[arg-type]
    return _KINDS.get(stream, "other")
