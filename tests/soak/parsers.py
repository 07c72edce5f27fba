"""Everything that reads bytes from outside, each with good inputs to start from and the errors that it may raise."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import orjson

from connectors.sensors import formats
from hub.access.client_address import Proxies
from hub.admission.drafts import Candidate
from hub.admission.schema import check_identity, check_schema
from hub.admission.strict_json import parse_object
from hub.errors import BadCursor, BadFilter, BadQuery, NotThatFormat, Refused
from hub.model import times
from hub.model.envelope import cut_envelope
from hub.model.observables import NotObservable, recognise, recognise_all
from hub.model.patterns import PatternRefused, read_pattern
from hub.model.upgrade import is_stix20, upgrade
from hub.store.query import parse
from hub.store.sqlite.engine import SqliteStore
from hub.taxii.cursor import Cursors, Place
from hub.taxii.filters import LISTED, read_filters
from hub.taxii.media import accepts_taxii, is_taxii
from hub.taxii.routes import read_path
from tests.soak.script import step

OBJECT = json.dumps(step("leo", 1).puts[0].obj).encode()
OBJECT_20 = (
    b'{"type":"observed-data","id":"observed-data--b67d30ff-02ac-498a-92f9-32f845f448cf","created":"2016-04-06T19:58:16Z",'
    b'"modified":"2016-04-06T19:58:16Z","first_observed":"2015-12-21T19:00:00Z","last_observed":"2015-12-21T19:00:00Z",'
    b'"number_observed":50,"objects":{"0":{"type":"ipv4-addr","value":"198.51.100.3"},"1":{"type":"network-traffic",'
    b'"src_ref":"0","dst_ref":"0","protocols":["tcp"]}}}'
)
PATTERNS = (
    b"[domain-name:value = 'evil.example']",
    b"[file:hashes.'SHA-256' = '%s' AND file:name MATCHES '^a(b|c)+$'] FOLLOWEDBY [ipv4-addr:value ISSUBSET"
    b" '10.0.0.0/8'] WITHIN 300 SECONDS" % (b"ab" * 32),
    b"([url:value LIKE 'http://%'] OR [email-addr:value IN ('a@b.example', 'c@d.example')]) REPEATS 5 TIMES",
    b"[network-traffic:dst_ref.value = '192.0.2.1' AND network-traffic:dst_port > 1024] START t'2026-01-01T00:00:00Z'"
    b" STOP t'2026-02-01T00:00:00Z'",
)
QUERIES = (
    b'type:indicator AND (value:evil.example OR name:"a b") NOT tlp:red',
    b"modified:[now-7d TO now] confidence:>=50",
    b"value:10.0.0.0/8 created:{2026-01-01 TO *] name:abc*",
)
FILTERS = (
    b"added_after=2026-01-31T12:00:00.000000Z&limit=10&match[id]=a--1,b--2&match[type]=indicator&match[version]=all",
    b"match%5Bversion%5D=last,first,2026-01-31T12:00:00Z&match[spec_version]=2.1,2.0&next=AAAA&limit=1",
)
MEDIA = (b"application/taxii+json;version=2.1", b'text/*;q=0.5, application/taxii+json; version="2.1"; q=1, */*;q=0.1')
LOGS = {
    "suricata": b'{"timestamp":"2026-03-29T10:00:00.000000+0000","event_type":"dns","src_ip":"192.0.2.10","dest_ip":'
    b'"203.0.113.7","dns":{"type":"query","rrname":"evil.example"}}\n',
    "zeek": b"#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n#fields\tts\t"
    b"uid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\n#types\ttime\tstring\taddr\tport\taddr\tport\n1774778400.0\tC1\t"
    b"192.0.2.1\t5\t203.0.113.7\t443\n",
    "cowrie": b'{"eventid":"cowrie.session.connect","src_ip":"203.0.113.7","timestamp":"2026-03-29T10:00:00.000000Z",'
    b'"session":"a","message":"x","sensor":"s"}\n',
}
VALUES = (
    b"http://user:pw@evil.example:8080/a/../b?x=1#y", b"xn--bcher-kva.example", b"2001:db8::1/32", b"hxxp://evil[.]example",
    b"00-11-22-aa-bb-cc", b"AS64496", b"someone@evil.example", b"10.0.0.1/8",
)  # fmt: skip


@dataclass(frozen=True)
class Parser:
    """One thing that reads: how it is called, with what to begin, and what it may raise."""

    read: Callable[[bytes], object]
    seeds: tuple[bytes, ...]
    raises: tuple[type[Exception], ...] = ()

    def check(self, given: bytes) -> None:
        """Read; whatever else is raised is a fault."""
        try:
            self.read(given)
        except self.raises:
            return


def _object(raw: bytes) -> None:
    found, body = parse_object(raw)
    assert orjson.loads(body) == found
    check_identity(found)
    if is_stix20(found, None):
        for one in upgrade(found):
            orjson.dumps(one)
    else:
        check_schema(found)
        assert Candidate(0, found, body).version


def _timestamp(raw: bytes) -> None:
    moment = times.parse_timestamp(raw.decode("latin-1"))
    if moment >= -62_135_596_800 * times.SECOND:
        assert times.parse_timestamp(times.format_timestamp(moment)) == moment


def _log(name: str) -> Callable[[bytes], object]:
    return lambda raw: list(formats()[name].events(io.BytesIO(raw), "s", name="log"))


def _text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda raw: read(raw.decode("utf-8", errors="surrogateescape" if len(raw) % 2 else "replace"))


def parsers(folder: Path) -> dict[str, Parser]:
    """Return all of them; ``folder`` is for a store with a key for page tokens."""
    store = SqliteStore(folder / "cursors.db")
    cursors = Cursors(store)
    store.close()
    token = cursors.token(Place(1, 2), "walk").encode()
    proxies = Proxies(("192.0.2.0/24", "unix"))
    return {
        "object": Parser(_object, (OBJECT, OBJECT_20), (Refused,)),
        "envelope": Parser(lambda raw: list(cut_envelope(raw)), (b'{"objects":[' + OBJECT + b"]}",), (Refused,)),
        "pattern": Parser(_text(read_pattern), PATTERNS, (PatternRefused,)),
        "query": Parser(_text(parse), QUERIES, (BadQuery,)),
        "filters": Parser(_text(lambda text: read_filters(text, LISTED)), FILTERS, (BadFilter,)),
        "page token": Parser(_text(lambda text: cursors.place(text, "another walk")), (token,), (BadCursor,)),
        "accept": Parser(_text(accepts_taxii), MEDIA),
        "content type": Parser(_text(is_taxii), MEDIA),
        "path": Parser(_text(read_path), (b"/hub/collections/inbox/objects/a--1/versions/",)),
        "timestamp": Parser(_timestamp, (b"2026-01-31T12:00:00.123456Z", b"9999-12-31T23:59:59Z"), (ValueError,)),
        "forwarded": Parser(_text(lambda text: proxies.client("192.0.2.1", text)), (b"203.0.113.7, [::1]:5",)),
        **{name: Parser(_log(name), (line, line * 2), (NotThatFormat,)) for name, line in LOGS.items()},
        "value": Parser(_text(recognise), VALUES, (NotObservable,)),
        "values in a text": Parser(_text(recognise_all), (b" ".join(VALUES), *VALUES)),
    }
