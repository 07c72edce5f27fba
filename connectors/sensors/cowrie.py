"""Cowrie, an SSH and Telnet honeypot: its JSON log and its text log.

Source: Cowrie documentation, "Cowrie Output: events"; text forms as in the CrowdSec parser's samples. ``src_ip`` is the
attacker and the only address that becomes an observable: the other end is the honeypot itself or, for
``direct-tcpip``, somebody whom the attacker tried to reach through it. Passwords never become fields.
"""

from __future__ import annotations

import re
from typing import ClassVar

import msgspec

from connectors.sensors.records import LogFormat, Read
from connectors.sensors.values import Clock, KnownKeys, distinct
from hub.errors import Refused
from hub.model.events import Event

_KINDS = {
    "cowrie.session.connect": "honeypot-contact",
    "cowrie.direct-tcpip.request": "honeypot-contact",
    "cowrie.direct-tcpip.data": "honeypot-contact",
    "cowrie.login.failed": "login-failed",
    "cowrie.login.success": "login-success",
    "cowrie.command.input": "command",
    "cowrie.command.success": "command",
    "cowrie.command.failed": "command",
    "cowrie.session.file_download": "file",
    "cowrie.session.file_download.failed": "file",
    "cowrie.session.file_upload": "file",
}
_FORWARDING = "cowrie.direct-tcpip."
_LINKS = re.compile(r"\b(?:https?|ftp)://[^\s'\"`|;<>()\\]+", re.IGNORECASE)

_TEXT_LINE = re.compile(r"(?:^|: )(\d{4}-\d\d-\d\d[T ][\d:.]{8,15}(?:Z|[+-]\d\d:?\d\d)?) \[(.*?[^ ])\] (.*)$", re.ASCII)
_SYSTEM_ADDRESS = re.compile(r",\d+,([0-9A-Fa-f:.]+)$")
_CONNECTION = re.compile(r"New connection: (\S+):(\d+) \((\S+):(\d+)\) \[session: (\w+)\]")
_LOGIN = re.compile(r"login attempt \[(?:b'(.*?)'/b'.*|([^/]*)/.*)\] (failed|succeeded)")
_COMMAND = re.compile(r"CMD: (.*)")
_DOWNLOAD = re.compile(r"Downloaded URL \(b?'?(.*?)'?\) with SHA-256 ([0-9a-f]{64}) to ")
_FORWARD = re.compile(r"direct-tcp connection request to (\S+):(\d+) from ")


class _Record(msgspec.Struct, gc=False):
    eventid: str
    timestamp: str
    src_ip: str | None = None
    src_port: int | None = None
    dst_ip: str | None = None
    dst_port: int | None = None
    session: str | None = None
    protocol: str | None = None
    username: str | None = None
    input: str | None = None
    url: str | None = None
    shasum: str | None = None


class Cowrie(LogFormat):
    """Cowrie's logs."""

    name: ClassVar[str] = "cowrie"
    title: ClassVar[str] = "a Cowrie log"
    beginning: ClassVar[re.Pattern[bytes]] = re.compile(
        rb'"eventid"\s*:\s*"cowrie\.|\[(?:cowrie\.|HoneyPot|Cowrie|SSHService|SSHChannel)|\[-\] Python Version'
    )

    def reader(self, sensor: str) -> Read:
        """Return the function that reads one log's records, of either form."""
        decode = msgspec.json.Decoder(_Record).decode
        moment = Clock(self.zone).moment
        known = KnownKeys()

        def read(raw: bytes, _whole: bool) -> Event | None:
            raw = raw.rstrip(b"\r")
            if not raw or raw.isspace():
                return None
            record = decode(raw) if raw.startswith(b"{") else _from_text(raw.decode())
            if record is None:
                return None
            return _event(record, moment(record.timestamp), sensor, raw, known)

        return read


def _event(record: _Record, time: int, sensor: str, raw: bytes, known: KnownKeys) -> Event:
    source = known.addresses[record.src_ip] if record.src_ip else None
    keys = [source]
    if record.url:
        keys.append(known.urls[record.url])
    if record.shasum:
        keys.append(known.of("file-sha256", record.shasum))
    if record.input:
        keys += [known.urls[link] for link in _LINKS.findall(record.input)]
    target = known.hosts[record.dst_ip] if record.dst_ip else None
    role = "target" if record.eventid.startswith(_FORWARDING) else "dst"
    stated = {
        "src": source,
        "src_port": record.src_port,
        role: target,
        f"{role}_port": record.dst_port,
        "session": record.session,
        "service": record.protocol,
        "user": record.username,
    }
    fields = {name: value for name, value in stated.items() if value is not None and value != ""}
    return Event(time, sensor, _KINDS.get(record.eventid, "other"), distinct(keys), fields, raw)


def _from_text(line: str) -> _Record | None:
    """Read a line of the text log as the record that the JSON log has for it; None if it names no attacker.

    Raises:
        Refused: ``not-a-record``: it has no time and system, as the further lines of a Python traceback.
    """
    match = _TEXT_LINE.search(line)
    if match is None:
        raise Refused("not-a-record", "the line has no time and no system in brackets")
    timestamp, system, message = match.groups()
    record = _Record("cowrie.other", timestamp)
    lowered = system.lower()
    if "telnet" in lowered:
        record.protocol = "telnet"
    elif "ssh" in lowered:
        record.protocol = "ssh"
    if address := _SYSTEM_ADDRESS.search(system):
        record.src_ip = address[1]
    if found := _CONNECTION.match(message):
        record.eventid = "cowrie.session.connect"
        record.src_ip, record.dst_ip, record.session = found[1], found[3], found[5]
        record.src_port, record.dst_port = int(found[2]), int(found[4])
    elif found := _LOGIN.match(message):
        record.eventid = "cowrie.login.success" if found[3] == "succeeded" else "cowrie.login.failed"
        record.username = found[1] or found[2]
    elif found := _COMMAND.match(message):
        record.eventid, record.input = "cowrie.command.input", found[1]
    elif found := _DOWNLOAD.match(message):
        record.eventid, record.url, record.shasum = "cowrie.session.file_download", found[1], found[2]
    elif found := _FORWARD.match(message):
        record.eventid, record.dst_ip, record.dst_port = "cowrie.direct-tcpip.request", found[1], int(found[2])
    return record if record.src_ip else None
