"""Suricata EVE: JSON, one event a line, or one array of events as captures are published.

Source: Suricata user guide, "EVE JSON Format", versions 3 to 8. What a rule's name says is never taken as a value: rule
names hold defanged domains of other cases.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, cast

import msgspec

from connectors.sensors.records import LogFormat, Read
from connectors.sensors.values import Clock, KnownKeys, distinct
from hub.model.events import Event

_KINDS = {
    "alert": "alert",
    "dns": "dns",
    "http": "http",
    "tls": "tls",
    "quic": "tls",
    "fileinfo": "file",
    "flow": "flow",
    "netflow": "flow",
}
_ABOUT_ITSELF = frozenset({"stats", "engine"})
_ADDRESS_RECORDS = frozenset({"A", "AAAA"})
_NAME_RECORDS = frozenset({"CNAME", "NS", "PTR", "MX", "DNAME"})
_HASHES = ("sha256", "sha1", "md5")
_URL = re.compile(r"https?://[^\s<>\"';|)]+")
"""URLs inside a user agent: what a shell command smuggled into the header would fetch, or a robot's home page."""
_MOST_URLS = 8
_MAIL = re.compile(r"[^\s<>\"',;]+@[^\s<>\"',;]+")


class _Alert(msgspec.Struct, gc=False):
    signature_id: int | None = None
    signature: str | None = None
    category: str | None = None
    severity: int | None = None


class _Answer(msgspec.Struct, gc=False):
    rrname: str | None = None
    rrtype: str | None = None
    rdata: Any = None


class _Dns(_Answer, gc=False):
    """Queries stand in the object itself, in ``query`` (in alerts) or ``queries`` (version 8); answers in four ways."""

    query: list[_Answer] | None = None
    queries: list[_Answer] | None = None
    answers: list[_Answer] | None = None
    grouped: dict[str, list[Any]] | None = None
    answer: _Dns | None = None


class _Http(msgspec.Struct, gc=False):
    hostname: str | None = None
    http_port: int | None = None
    url: str | None = None
    http_user_agent: str | None = None


class _Fingerprint(msgspec.Struct, gc=False):
    hash: str | None = None


class _Tls(msgspec.Struct, gc=False):
    sni: str | None = None
    fingerprint: str | None = None
    serial: str | None = None
    ja3: _Fingerprint | None = None
    ja3s: _Fingerprint | None = None


class _File(msgspec.Struct, gc=False):
    sha256: str | None = None
    sha1: str | None = None
    md5: str | None = None


class _Smtp(msgspec.Struct, gc=False):
    mail_from: str | None = None


class _Email(msgspec.Struct, gc=False):
    sender: str | None = msgspec.field(default=None, name="from")


class _Eve(msgspec.Struct, gc=False):
    timestamp: str
    event_type: str
    src_ip: str | None = None
    src_port: int | None = None
    dest_ip: str | None = None
    dest_port: int | None = None
    flow_id: int | None = None
    app_proto: str | None = None
    alert: _Alert | None = None
    dns: _Dns | None = None
    http: _Http | None = None
    tls: _Tls | None = None
    quic: _Tls | None = None
    fileinfo: _File | None = None
    files: list[_File] | None = None
    smtp: _Smtp | None = None
    email: _Email | None = None


class Suricata(LogFormat):
    """Suricata's EVE log."""

    name: ClassVar[str] = "suricata"
    title: ClassVar[str] = "Suricata EVE"
    beginning: ClassVar[re.Pattern[bytes]] = re.compile(rb'"event_type"\s*:')
    arrays: ClassVar[bool] = True

    def reader(self, sensor: str) -> Read:
        """Return the function that reads one log's records."""
        decode = msgspec.json.Decoder(_Eve).decode
        moment = Clock(self.zone).moment
        known = KnownKeys()
        addresses = known.addresses

        def read(raw: bytes, _whole: bool) -> Event | None:
            if not raw or raw.isspace():
                return None
            eve = decode(raw)
            kind = eve.event_type
            if kind in _ABOUT_ITSELF:
                return None
            src = addresses[eve.src_ip] if eve.src_ip else None
            dst = addresses[eve.dest_ip] if eve.dest_ip else None
            service = eve.app_proto
            if service is None or service == "failed":
                service = kind if kind in _PROTOCOLS else None
            # One dict literal and one comparison a value: cheaper than a call or an insertion for each.
            fields: dict[str, str | int | None] = {
                "src": src,
                "dst": dst,
                "src_port": eve.src_port,
                "dst_port": eve.dest_port,
                "flow_id": eve.flow_id,
            }
            if service is not None:
                fields["service"] = service
            alert = eve.alert
            if alert is not None:
                fields["signature"] = alert.signature
                fields["signature_id"] = alert.signature_id
                fields["severity"] = alert.severity
                fields["category"] = alert.category
            if None in fields.values():
                fields = {name: value for name, value in fields.items() if value is not None}
            keys: tuple[str, ...]
            # The first of these that is there, else the last, which is None.
            carried = eve.http or eve.dns or eve.tls or eve.fileinfo or eve.files or eve.quic or eve.smtp or eve.email
            if carried is None and src is not None and dst is not None and src != dst:
                keys = (src, dst)
            else:
                keys = distinct((src, dst, *_contents(eve, known)))
            return Event(
                moment(eve.timestamp),
                sensor,
                _KINDS.get(kind, "other"),
                keys,
                cast(dict[str, str | int], fields),
                raw.rstrip(b"\r"),
            )

        return read


_PROTOCOLS = frozenset({"dns", "http", "tls", "quic", "smb", "krb5", "dcerpc", "smtp", "ssh", "rdp", "ftp", "modbus"})


def _contents(eve: _Eve, known: KnownKeys) -> list[str | None]:
    """Return the keys of what was transferred; an alert carries the same parts as the event of its protocol."""
    keys: list[str | None] = []
    if eve.dns is not None:
        keys += _of_dns(eve.dns, known)
    if eve.http is not None:
        keys += known.web(eve.http.hostname, eve.http.url, eve.http.http_port)
        agent = eve.http.http_user_agent
        if agent is not None and "://" in agent:
            keys += [known.urls[url] for url in _URL.findall(agent)[:_MOST_URLS]]
    if eve.tls is not None:
        keys += _of_tls(eve.tls, known)
    if eve.quic is not None:
        keys += _of_tls(eve.quic, known)
    if eve.fileinfo is not None:
        keys += _of_file(eve.fileinfo, known)
    for file in eve.files or ():
        keys += _of_file(file, known)
    # Senders only: recipients are the city's own people.
    if eve.smtp is not None:
        keys += _of_sender(eve.smtp.mail_from, known)
    if eve.email is not None:
        keys += _of_sender(eve.email.sender, known)
    return keys


def _of_sender(text: str | None, known: KnownKeys) -> list[str | None]:
    address = _MAIL.search(text) if text else None
    return [known.of("email-addr", address[0])] if address else []


def _of_dns(dns: _Dns, known: KnownKeys) -> list[str | None]:
    keys: list[str | None] = []
    for record in (dns, *(dns.query or ()), *(dns.queries or ()), *(dns.answers or ())):
        if record.rrname:
            keys.append(known.hosts[record.rrname])
        keys += _of_record(record.rrtype, record.rdata, known)
    for rrtype, values in (dns.grouped or {}).items():
        for value in values:
            keys += _of_record(rrtype, value, known)
    if dns.answer is not None and dns.answer.answer is None:
        keys += _of_dns(dns.answer, known)
    return keys


def _of_record(rrtype: str | None, rdata: Any, known: KnownKeys) -> list[str | None]:
    if not isinstance(rdata, str) or not rdata:
        return []
    if rrtype in _ADDRESS_RECORDS:
        return [known.addresses[rdata]]
    return [known.hosts[rdata]] if rrtype in _NAME_RECORDS else []


def _of_tls(tls: _Tls, known: KnownKeys) -> list[str | None]:
    keys: list[str | None] = []
    if tls.sni:
        keys.append(known.hosts[tls.sni])
    if tls.fingerprint:
        keys.append(known.of("certificate-sha1", tls.fingerprint))
    if tls.serial:
        keys.append(known.of("certificate-serial", tls.serial))
    for kind, fingerprint in (("ja3", tls.ja3), ("ja3s", tls.ja3s)):
        if fingerprint is not None and fingerprint.hash:
            keys.append(known.of(kind, fingerprint.hash))
    return keys


def _of_file(file: _File, known: KnownKeys) -> list[str | None]:
    return [known.of(f"file-{name}", value) for name in _HASHES if (value := getattr(file, name))]
