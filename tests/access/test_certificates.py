"""Registered client certificates, and who is believed about them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from hub.access.accounts import Accounts
from hub.access.audit import Audit
from hub.access.callers import UNREADABLE, Caller, Callers
from hub.access.certificates import Certificates, read_certificate
from hub.access.client_address import Proxies
from hub.access.signin import SignIn
from hub.errors import BadRequest, Conflict, NotFound, NotSignedIn
from hub.model import times
from hub.store.moving import Movable
from tests.access.authority import Authority

SECRET, DOOR = "a long proxy secret", "the secret of the door"
CALLERS = Callers(Proxies(["10.0.0.0/8"]), SECRET, DOOR)
PRINT = "ab" * 32


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def certificates(store: Movable, accounts: Accounts) -> Certificates:
    return Certificates(store)


def test_a_certificate_signs_in_its_account(
    certificates: Certificates, accounts: Accounts, authority: Authority
) -> None:
    pem = authority.issue("siem").content
    added = certificates.add("leo", pem)
    der = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    assert added.fingerprint == hashlib.sha256(der).hexdigest()
    assert read_certificate(der, "leo") == added
    assert added.subject == "CN=siem"
    signin = SignIn(accounts, certificates=certificates)
    leo = signin.principal(None, certificate=added.fingerprint)
    assert (leo.user, leo.organisation, leo.token) == ("leo", "water", None)
    assert [one.fingerprint for one in certificates.all()] == [added.fingerprint]
    certificates.remove(added.fingerprint.upper())
    with pytest.raises(NotSignedIn):
        signin.principal(None, certificate=added.fingerprint)


def test_what_cannot_be_registered(certificates: Certificates, authority: Authority) -> None:
    good = authority.issue("siem").content
    certificates.add("leo", good)
    with pytest.raises(Conflict, match="leo"):
        certificates.add("ana", good)
    with pytest.raises(BadRequest, match="expired"):
        certificates.add("ana", authority.issue("old", days=-1).content)
    with pytest.raises(NotFound):
        certificates.add("nobody", authority.issue("other").content)
    for wrong in (b"", b"no certificate", authority.issue("third").key.read_bytes(), good[:300]):
        with pytest.raises(BadRequest, match="no certificate"):
            certificates.add("ana", wrong)
    with pytest.raises(NotFound):
        certificates.remove("ff" * 32)


def test_expired_unknown_and_unreadable_ones_are_told_apart(
    certificates: Certificates, accounts: Accounts, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = certificates.add("leo", authority.issue("siem").content)
    signin = SignIn(accounts, certificates=certificates)
    for fingerprint, told in ((PRINT, "no account"), (UNREADABLE, "unreadable")):
        with pytest.raises(NotSignedIn, match=told):
            signin.principal(None, certificate=fingerprint)
    monkeypatch.setattr(times, "now", lambda: added.expires)
    with pytest.raises(NotSignedIn, match="expired"):
        signin.principal(None, certificate=added.fingerprint)
    monkeypatch.setattr(times, "now", lambda: added.starts - 1)
    with pytest.raises(NotSignedIn, match="not valid yet"):
        signin.principal(None, certificate=added.fingerprint)


def test_an_account_goes_with_its_certificates_and_all_of_it_is_audited(
    certificates: Certificates, accounts: Accounts, authority: Authority, store: Movable
) -> None:
    added = certificates.add("leo", authority.issue("siem").content)
    accounts.remove_user("leo")
    assert list(certificates.all()) == []
    *_, registered, removed = Audit(store).entries()
    assert (registered.action, registered.target) == ("certificate.add", added.fingerprint)
    assert removed.details == {"tokens": "0", "certificates": "1"}


def test_credentials_in_the_request_come_first(certificates: Certificates, accounts: Accounts) -> None:
    signin = SignIn(accounts, certificates=certificates)
    token = accounts.add_token("ana")[1]
    assert signin.principal(f"Bearer {token}", certificate=PRINT).user == "ana"


@pytest.mark.parametrize(
    ("peer", "told", "caller"),
    [
        ("10.0.0.1", f"{SECRET} {PRINT}", Caller("10.0.0.1", PRINT)),
        ("10.0.0.1", f"{SECRET}  " + ":".join(["AB"] * 32), Caller("10.0.0.1", PRINT)),
        ("10.0.0.1", f"{SECRET} ", Caller("10.0.0.1")),
        ("10.0.0.1", f"{SECRET} /CN=siem", Caller("10.0.0.1", UNREADABLE)),
        ("10.0.0.1", f"{SECRET} -----BEGIN CERTIFICATE-----%0A!!%0A", Caller("10.0.0.1", UNREADABLE)),
        ("10.0.0.1", PRINT, Caller("10.0.0.1")),
        ("10.0.0.1", f"wrong {PRINT}", Caller("10.0.0.1")),
        ("10.0.0.1", f" {PRINT}", Caller("10.0.0.1")),
        ("192.0.2.1", f"{SECRET} {PRINT}", Caller("192.0.2.1")),
        ("127.0.0.1", f"{DOOR} {PRINT} 2001:db8::1", Caller("2001:db8::1", PRINT)),
        ("127.0.0.1", f"{DOOR}x {PRINT} 2001:db8::1", Caller("127.0.0.1")),
    ],
)
def test_a_certificate_is_believed_from_a_proxy_with_the_secret_only(peer: str, told: str, caller: Caller) -> None:
    secret = SECRET.replace(" ", "_"), DOOR.replace(" ", "_")
    told = told.replace(SECRET, secret[0]).replace(DOOR, secret[1])
    callers = Callers(Proxies(["10.0.0.0/8"]), *secret)
    environ: dict[str, Any] = {"REMOTE_ADDR": peer, "HTTP_X_CLIENT_CERTIFICATE": told}
    assert callers.read(environ) == caller
    assert environ == {"REMOTE_ADDR": peer}


def test_the_pem_that_nginx_escapes_is_understood(authority: Authority) -> None:
    pem = authority.issue("siem").content
    environ = {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_CLIENT_CERTIFICATE": "secret " + quote(pem)}
    caller = Callers(Proxies(["10.0.0.0/8"]), "secret").read(environ)
    assert caller.certificate == read_certificate(pem, "leo").fingerprint


def test_without_a_secret_no_proxy_is_believed() -> None:
    for told in (PRINT, f" {PRINT}", f"None {PRINT}"):
        environ = {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_CLIENT_CERTIFICATE": told}
        assert Callers(Proxies(["10.0.0.0/8"])).read(environ).certificate is None


def test_a_proxy_that_was_not_named_is_hinted_at_once() -> None:
    callers = Callers(Proxies(["10.0.0.0/8"]))
    with capture_logs() as logs:
        for peer in ("10.0.0.1", "127.0.0.1", "127.0.0.1"):
            callers.read({"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": "192.0.2.1"})
    assert [line["sender"] for line in logs] == ["127.0.0.1"]


@given(told=st.text(max_size=100))
def test_any_header_is_read_without_a_fault(told: str) -> None:
    for peer in ("10.0.0.1", "192.0.2.1"):
        caller = CALLERS.read({"REMOTE_ADDR": peer, "HTTP_X_CLIENT_CERTIFICATE": told})
        assert caller == Caller(peer)
