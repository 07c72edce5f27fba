"""Fetching: addresses, redirects, bounds, conditional requests, trying again; against a real local server."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import replace
from typing import Any

import pytest

from connectors.http import Http, Limits
from hub.errors import BadSettings, NotThatFormat, SourceUnreachable

Fixture = Any


def body_of(http: Http, url: str, **more: Any) -> bytes:
    with http.get(url, **more) as answer:
        return answer.body.read()


def test_a_body_comes_whole(web: Fixture, http: Http) -> None:
    web.routes["/list"] = (200, {}, b"192.0.2.1\n" * 20_000)
    assert body_of(http, web.url("/list")) == b"192.0.2.1\n" * 20_000


def test_the_loopback_address_is_closed_without_permission(web: Fixture, http: Http) -> None:
    web.routes["/list"] = (200, {}, b"x")
    for host in ("127.0.0.1", "localhost", "[::1]"):
        with pytest.raises(SourceUnreachable, match="not a public address"):
            body_of(replace(http, allow=()), web.url("/list", host))
    assert web.asked == []


def test_the_connection_goes_to_the_judged_address_and_keeps_the_name(web: Fixture, http: Http) -> None:
    """A name that would resolve to something else at the second look changes nothing."""
    looks: list[str] = []

    def once(host: str, port: int) -> list[str]:
        looks.append(host)
        return ["127.0.0.1"] if len(looks) == 1 else ["203.0.113.1"]

    web.routes["/list"] = (200, {}, b"x")
    assert body_of(replace(http, resolver=once), web.url("/list", "feed.example")) == b"x"
    assert looks == ["feed.example"]
    assert web.asked[0][1]["host"] == f"feed.example:{web.port}"


def test_every_redirect_is_judged_anew(web: Fixture, http: Http) -> None:
    web.routes["/list"] = (302, {"Location": "http://169.254.169.254/latest/meta-data/"}, b"")
    with pytest.raises(SourceUnreachable, match=r"169\.254\.169\.254.*not a public address"):
        body_of(http, web.url("/list"))


@pytest.mark.parametrize(
    "place", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/", "//user@127.0.0.1/"]
)
def test_a_redirect_leads_to_http_only(web: Fixture, http: Http, place: str) -> None:
    web.routes["/list"] = (301, {"Location": place}, b"")
    with pytest.raises(SourceUnreachable):
        body_of(http, web.url("/list"))


def test_redirects_end(web: Fixture, http: Http) -> None:
    web.routes["/list"] = (302, {"Location": "/list"}, b"")
    with pytest.raises(SourceUnreachable, match="more than 5 times"):
        body_of(http, web.url("/list"))
    assert len(web.asked) == 6


def test_headers_stay_with_their_origin(web: Fixture, http: Http) -> None:
    web.routes["/list"] = (302, {"Location": web.url("/moved")}, b"")
    web.routes["/moved"] = (302, {"Location": web.url("/there", "localhost")}, b"")
    web.routes["/there"] = (200, {}, b"x")
    local = replace(http, resolver=lambda host, port: ["127.0.0.1"])
    assert body_of(local, web.url("/list"), headers={"Auth-Key": "secret:key"}) == b"x"
    assert [headers.get("auth-key") for _, headers in web.asked] == ["s3cret", "s3cret", None]


@pytest.mark.parametrize(
    "url", ["ftp://feed.example/x", "file:///etc/passwd", "feed.example", "http://", "http://[::1", ""]
)
def test_only_http_addresses_are_fetched(http: Http, url: str) -> None:
    with pytest.raises(SourceUnreachable, match="address"):
        body_of(http, url)


def test_no_message_holds_a_secret(web: Fixture, http: Http) -> None:
    for url in (web.url("/key123/none?auth=key123"), "http://me:key123@127.0.0.1/x", "http://127.0.0.1:1/key123"):
        with pytest.raises(SourceUnreachable) as caught:
            body_of(http, url, headers={"Auth-Key": "secret:key"})
        assert "key123" not in str(caught.value)
        assert "s3cret" not in str(caught.value)


def test_an_unknown_secret_is_the_operators_matter(web: Fixture, http: Http) -> None:
    with pytest.raises(BadSettings, match="no secret named other"):
        body_of(http, web.url("/list"), headers={"Auth-Key": "secret:other"})


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "raw deflate"])
def test_compressed_answers_are_unpacked(web: Fixture, http: Http, encoding: str) -> None:
    content = b"192.0.2.1\n" * 3000
    squeeze = zlib.compressobj(wbits=-15)
    packed = {
        "gzip": gzip.compress(content),
        "deflate": zlib.compress(content),
        "raw deflate": squeeze.compress(content) + squeeze.flush(),
    }[encoding]
    web.routes["/list"] = (200, {"Content-Encoding": encoding.removeprefix("raw ")}, packed)
    assert body_of(http, web.url("/list")) == content


@pytest.mark.parametrize(
    ("headers", "body", "words"),
    [
        ({}, b"x" * (1 << 20) + b"y", "longer than 1 MB"),
        ({"Content-Encoding": "gzip"}, gzip.compress(bytes(range(256)) * 20000), "more than 4 MB"),
        ({"Content-Encoding": "gzip"}, gzip.compress(bytes(range(256)) * 200)[:-9], "breaks off"),
        ({"Content-Encoding": "br"}, b"x", "encoding br"),
    ],
)
def test_what_is_too_big_or_broken_is_refused(
    web: Fixture, http: Http, headers: dict[str, str], body: bytes, words: str
) -> None:
    web.routes["/list"] = (200, headers, body)
    with pytest.raises(NotThatFormat, match=words):
        body_of(http, web.url("/list"))


def test_an_answer_that_breaks_off_is_fetched_again(web: Fixture, http: Http) -> None:
    def flaky(handler: Any) -> Any:
        if len(web.asked) == 1:
            handler.send_response(200)
            handler.send_header("Content-Length", "100")
            handler.end_headers()
            handler.wfile.write(b"only this")
            handler.close_connection = True
            return None
        return 200, {}, b"all of it"

    web.routes["/list"] = flaky
    assert body_of(http, web.url("/list")) == b"all of it"


def test_what_did_not_change_is_not_sent_again(web: Fixture, http: Http) -> None:
    def conditional(handler: Any) -> Any:
        if handler.headers.get("If-None-Match") == '"v1"' and handler.headers.get("If-Modified-Since"):
            return 304, {"ETag": '"v1"'}, b""
        return 200, {"ETag": '"v1"', "Last-Modified": "Sat, 22 Aug 2026 15:56:45 GMT"}, b"x"

    web.routes["/list"] = conditional
    with http.get(web.url("/list")) as answer:
        assert not answer.unchanged
        known = answer.validators
    with http.get(web.url("/list"), validators=known) as answer:
        assert answer.unchanged


def test_a_busy_server_is_asked_again_when_it_says(web: Fixture, http: Http) -> None:
    replies = iter([(429, {"Retry-After": "0"}, b""), (503, {}, b""), (200, {}, b"x")])
    web.routes["/list"] = lambda handler: next(replies)
    assert body_of(http, web.url("/list")) == b"x"
    assert len(web.asked) == 3


def test_a_long_wait_is_left_to_the_runner(web: Fixture, http: Http) -> None:
    web.routes["/list"] = (429, {"Retry-After": "3600"}, b"")
    with pytest.raises(SourceUnreachable, match="status 429") as caught:
        body_of(http, web.url("/list"))
    assert caught.value.retry_after == 3600
    assert len(web.asked) == 1


@pytest.mark.parametrize(
    ("status", "words"), [(401, "credentials"), (403, "credentials"), (404, "status 404"), (500, "500")]
)
def test_an_error_status_is_named(web: Fixture, http: Http, status: int, words: str) -> None:
    web.routes["/list"] = (status, {}, b"<html>")
    with pytest.raises(SourceUnreachable, match=words):
        body_of(http, web.url("/list"))


def test_a_closed_port_is_told(http: Http) -> None:
    with pytest.raises(SourceUnreachable, match=r"127\.0\.0\.1 cannot be reached"):
        body_of(http, "http://127.0.0.1:1/x")


def test_the_time_of_a_fetch_is_bounded(web: Fixture, http: Http) -> None:
    web.routes["/list"] = (200, {}, b"x" * 200_000)
    with pytest.raises(SourceUnreachable, match="took longer"):
        body_of(replace(http, limits=Limits(wait=0.0, total=1e-9)), web.url("/list"))
