"""Cutting logs into records: the same whatever the pieces, bounded, and clear about what is not a log."""

from __future__ import annotations

import io
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.inflate import decompressed
from connectors.sensors import formats, open_log
from connectors.sensors.records import MAX_RECORD, Cut, array_elements, lines
from hub.errors import NoSuchFile, NotThatFormat
from hub.model.items import KEPT, BadItem, EventItem

FLOW = (
    b'{"timestamp":"2026-03-29T10:00:00.000000+0000","event_type":"flow","src_ip":"192.0.2.10","dest_ip":"203.0.113.7"}'
)


def events(content: bytes, name: str = "suricata", start: int = 0) -> list[EventItem | BadItem]:
    return list(formats()[name].events(io.BytesIO(content), "ids", name="log", start=start))


def pieces(content: bytes, size: int) -> Iterator[bytes]:
    return (content[at : at + size] for at in range(0, len(content), size))


@given(st.lists(st.binary(max_size=20).filter(lambda line: b"\n" not in line)), st.integers(1, 30), st.booleans())
def test_lines_do_not_depend_on_the_pieces(parts: list[bytes], size: int, terminated: bool) -> None:
    content = b"\n".join(parts) + (b"\n" if terminated and parts else b"")
    found = list(lines(pieces(content, size)))
    assert found == list(lines(iter([content])))
    assert [raw for _, raw, _, _ in found] == content.removeprefix(b"\xef\xbb\xbf").split(b"\n")[: len(found)]
    assert not found or found[-1][2] == len(content)
    assert all((cut is Cut.WHOLE) == content[:end].endswith(b"\n") for _, _, end, cut in found)


JSON_VALUES = st.recursive(
    st.none() | st.integers() | st.text(alphabet='ab"\\{}[],:é\n', max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('"\\{}x', max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.lists(st.dictionaries(st.text(max_size=4), JSON_VALUES, max_size=4), max_size=5),
    st.integers(1, 40),
    st.booleans(),
)
def test_array_elements_are_those_of_a_json_parser(values: list[object], size: int, pretty: bool) -> None:
    content = json.dumps(values, indent=2 if pretty else None, ensure_ascii=False).encode()
    found = list(array_elements(pieces(content, size), "log"))
    assert [json.loads(raw) for _, raw, _, _ in found] == values
    assert all(content[:end].endswith(raw) for _, raw, end, _ in found)


def test_a_line_of_200_mb_is_one_refused_item_and_is_not_held() -> None:
    class Long(io.RawIOBase):
        def __init__(self) -> None:
            self.sizes = [FLOW + b"\n", *[b'{"x":"' + b"a" * (1 << 20)] * 200, b"\n" + FLOW + b"\n"]

        def read(self, _size: int = -1) -> bytes:
            return self.sizes.pop(0) if self.sizes else b""

    tracemalloc.start()
    first, long, last = formats()["suricata"].events(Long(), "ids", name="log")  # type: ignore[arg-type]  # reads only
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(first, EventItem) and isinstance(last, EventItem)
    assert isinstance(long, BadItem) and (long.reason, long.place) == ("too-long", "log line 2")
    assert len(long.raw) == KEPT and last.end > 200 << 20
    assert peak < 16 << 20


def test_a_long_element_of_an_array_does_not_stop_its_neighbours() -> None:
    content = b"[" + FLOW + b',{"x":"' + b'\\"}' * MAX_RECORD + b'"},\n' + FLOW + b"]"
    first, long, last = list(events(content))
    assert isinstance(first, EventItem) and isinstance(last, EventItem)
    assert isinstance(long, BadItem) and (long.reason, long.place, len(long.raw)) == ("too-long", "log event 2", KEPT)


def test_an_array_that_breaks_off_gives_what_came_before() -> None:
    read = formats()["suricata"].events(io.BytesIO(b"[" + FLOW + b",\n" + FLOW[:-9]), "ids", name="log")
    assert isinstance(next(read), EventItem)
    cut = next(read)
    assert isinstance(cut, BadItem) and cut.reason == "cut-off"
    with pytest.raises(NotThatFormat, match="has no end; 1 events"):
        next(read)


def test_a_line_without_its_end_is_read_when_the_rest_is_there() -> None:
    half = FLOW + b"\n" + FLOW[:50]
    first, cut = events(half)
    assert isinstance(first, EventItem) and isinstance(cut, BadItem) and cut.reason == "cut-off"
    assert cut.end == first.end
    (again,) = events(FLOW + b"\n" + FLOW + b"\n", start=cut.end)
    assert isinstance(again, EventItem) and again.event == first.event


def test_a_tab_separated_line_without_its_end_may_lack_a_part_of_its_last_value() -> None:
    log = b"#fields\tts\tid.orig_h\tid.resp_h\n#types\ttime\taddr\taddr\n1774778400.25\t192.0.2.10\t203.0.113.77"
    (cut,) = events(log, "zeek")
    assert isinstance(cut, BadItem) and cut.reason == "cut-off"
    (item,) = events(log + b"\n", "zeek", start=cut.end)
    assert isinstance(item, EventItem) and item.event.fields["dst"] == "ipv4-addr:203.0.113.77"


def test_each_kind_of_broken_line_has_its_reason() -> None:
    broken = {
        "wrong-encoding": FLOW.replace(b"192.0.2.10", b"\xff\xfe"),
        "too-deep": FLOW[:-1] + b',"dns":{"grouped":{"A":' + b"[" * 100_000,
        "bad-json": FLOW[:-1],
        "schema": b"[1]",
    }
    content = b"".join(line + b"\n" + FLOW + b"\n" for line in (FLOW, *broken.values()))
    items = events(content)
    assert [item.reason for item in items if isinstance(item, BadItem)] == list(broken)
    assert sum(isinstance(item, EventItem) for item in items) == 6


@pytest.mark.parametrize("name", ["suricata", "zeek", "cowrie"])
@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\n<!DOCTYPE html><html>Sign in</html>", "a web page"),
        (b'<?xml version="1.0"?><log/>', "XML"),
        ('{"event_type":1}'.encode("utf-16"), "UTF-16"),
        (b"PK\x03\x04zip", "a compressed file"),
        (b"\xd4\xc3\xb2\xa1\x02\x00", "a packet capture"),
        (b"Dec 10 06:55:46 LabSZ sshd[24200]: Invalid user webmaster\n", "nothing in its beginning"),
        (b'{"some":"json"}\n', "nothing in its beginning"),
    ],
)
def test_something_else_as_a_whole_is_named(name: str, content: bytes, what: str) -> None:
    with pytest.raises(NotThatFormat, match=what):
        events(content, name)


def test_an_empty_log_has_no_events() -> None:
    assert [events(b"", name) for name in formats()] == [[], [], []]


def test_a_byte_order_mark_and_windows_line_ends_are_no_part_of_a_record() -> None:
    content = b"\xef\xbb\xbf" + FLOW + b"\r\n\r\n"
    (item,) = events(content)
    assert item.end == len(content) - 2
    assert isinstance(item, EventItem) and item.event.raw == FLOW


def test_a_stream_that_cannot_seek_goes_on_too() -> None:
    content = (FLOW + b"\n") * 5000
    stream = decompressed(io.BytesIO(content), "log")
    rest = list(formats()["suricata"].events(stream, "ids", start=3 * (len(FLOW) + 1)))
    assert len(rest) == 4997 and rest[-1].end == len(content)


def test_open_log_names_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NoSuchFile, match=r"eve\.json"), open_log(tmp_path / "eve.json"):
        pass
