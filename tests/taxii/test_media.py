"""Accept and Content-Type, row by row (TAXII21.md A02-A12)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.taxii.media import accepts_taxii, is_taxii

V21 = "application/taxii+json;version=2.1"


@pytest.mark.parametrize(
    "accept",
    [
        V21,
        "application/taxii+json",
        "application/taxii+json; version=2.1",
        "application/taxii+json ;\tversion=2.1",
        'Application/TAXII+JSON;Version="2.1"',
        f"text/html, {V21}",
        f"application/vnd.oasis.taxii+json; version=2.0, {V21}",
        f"application/taxii+json;version=2.0;q=0.9, {V21};q=0.1",
        f"{V21};q=0.5",
        f"{V21}, application/stix+json;version=2.1",
        "*/*",
        "application/*;q=0.1",
        "",
        None,
        f'text/x;a=",", {V21}',
        f"{V21};charset=utf-8",
    ],
)
def test_accepted(accept: str | None) -> None:
    assert accepts_taxii(accept)


@pytest.mark.parametrize(
    "accept",
    [
        "text/html",
        "application/json",
        "application/taxii+json;version=2.0",
        "application/taxii+json;version=9.9",
        f"{V21};q=0",
        f"*/*, {V21};q=0",
        "application/stix+json;version=2.1",
        "x" * 5000,
        '"',
    ],
)
def test_not_acceptable(accept: str) -> None:
    assert not accepts_taxii(accept)


@pytest.mark.parametrize("sent", [V21, "application/taxii+json", 'APPLICATION/taxii+json ; version="2.1"'])
def test_content_type_taken(sent: str) -> None:
    assert is_taxii(sent)


@pytest.mark.parametrize("sent", [None, "", "application/json", "application/taxii+json;version=2.0", ";", ","])
def test_content_type_refused(sent: str | None) -> None:
    assert not is_taxii(sent)


@given(st.text(alphabet='ap/*;,="\\ q.021', max_size=60))
def test_any_header_gets_an_answer(header: str) -> None:
    assert accepts_taxii(header) in (True, False)
    assert is_taxii(header) in (True, False)
