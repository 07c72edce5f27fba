"""Warning lists: what each does to a value, and the index file behind them."""

import functools
import ipaddress
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.admission import warninglists
from hub.admission.warninglists import WarningLists
from hub.errors import BadSettings, NoSuchFile
from hub.model.observables import Observable, canonical
from tests.admission.parts import ROOT


def effects(lists: WarningLists, key: str) -> dict[str, str]:
    kind, _, text = key.partition(":")
    return {one.label: one.effect for one in lists.check(canonical(kind, text))}


@pytest.mark.parametrize(
    ("key", "label"),
    [
        ("ipv4-addr:66.240.236.119", "scanner:shodan"),
        ("ipv4-addr:71.6.199.23", "scanner:shodan"),
        ("ipv4-addr:80.82.77.33", "scanner:shodan"),
        ("ipv4-addr:184.105.139.67", "vpn"),
        ("ipv4-addr:8.8.8.8", "resolver"),
        ("ipv4-addr:104.16.1.1", "cdn"),
        ("domain-name:evil.duckdns.org", "dynamic-dns"),
        ("url:https://bit.ly/abc", "shared-service"),
        ("ipv4-addr:192.0.2.7", "documentation"),
        ("domain-name:evil.example", "documentation"),
    ],
)
def test_annotated(lists: WarningLists, key: str, label: str) -> None:
    found = effects(lists, key)
    assert found[label] == "annotate"
    assert "refuse" not in found.values()


@pytest.mark.parametrize(
    ("key", "label"),
    [
        ("domain-name:github.com", "top-site"),
        ("domain-name:www.github.com", "top-site"),
        ("url:https://github.com/", "top-site"),
        ("ipv4-addr:10.1.2.3", "reserved"),
        ("ipv4-addr:192.168.0.0/16", "reserved"),
        ("ipv4-addr:224.0.0.1", "reserved"),
        ("ipv6-addr:fe80::1", "reserved"),
        ("url:http://127.0.0.1:8080/x", "reserved"),
        ("domain-name:printer.lan", "reserved"),
        ("file-md5:d41d8cd98f00b204e9800998ecf8427e", "harmless-file"),
        ("file-sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "harmless-file"),
        ("domain-name:city.example", "own-asset"),
        ("domain-name:vpn.city.example", "own-asset"),
        ("url:https://portal.city.example/login", "own-asset"),
        ("email-addr:mayor@city.example", "own-asset"),
        ("ipv4-addr:198.51.100.7", "own-asset"),
        ("ipv4-addr:198.51.0.0/16", "own-asset"),
        ("url:http://198.51.100.7/x", "own-asset"),
    ],
)
def test_refused(lists: WarningLists, key: str, label: str) -> None:
    assert effects(lists, key)[label] == "refuse"


@pytest.mark.parametrize(
    "key",
    [
        "url:https://github.com/a/b",
        "url:https://raw.githubusercontent.com/x/y/z.sh",
        "domain-name:attacker.github.io.evil.example",
        "domain-name:github.com.evil.example",
        "domain-name:notcity.example",
        "domain-name:somebody.github.com",
        "ipv4-addr:45.9.148.3",
        "file-md5:3773a88f65a5e780c8dff9cdc3a056f3",
        "ipv4-addr:198.51.101.7",
    ],
)
def test_not_refused(lists: WarningLists, key: str) -> None:
    assert "refuse" not in effects(lists, key).values()


def test_worst_first(lists: WarningLists) -> None:
    found = lists.check(canonical("ipv4-addr", "198.51.100.7"))
    assert [one.label for one in found] == ["own-asset", "documentation"]
    assert found[0].penalty > found[1].penalty


@settings(max_examples=60, deadline=None)
@given(number=st.integers(0, 2**32 - 1))
def test_addresses_as_a_plain_search_would_find_them(lists: WarningLists, number: int) -> None:
    address = ipaddress.IPv4Address(number)
    found = {one.label for one in lists.check(Observable("ipv4-addr", str(address)))}
    for label, name in (("cdn", "cloudflare"), ("hosting", "amazon-aws"), ("reserved", "rfc1918")):
        listed = any(address in network for network in networks(name))
        assert not listed or label in found


@settings(max_examples=60, deadline=None)
@given(data=st.data(), name=st.sampled_from(["cloudflare", "amazon-aws", "rfc1918", "vpn-ipv4", "multicast"]))
def test_borders_of_networks(lists: WarningLists, data: st.DataObject, name: str) -> None:
    network = data.draw(st.sampled_from(networks(name)))
    for address in (network[0], network[-1]):
        assert any(one for one in lists.check(Observable("ipv4-addr", str(address))))


@functools.cache
def networks(name: str) -> list[ipaddress.IPv4Network]:
    entries = [warninglists._network(entry) for entry in warninglists._published(name)]
    return [one for one in entries if isinstance(one, ipaddress.IPv4Network)]


def rules(folder: Path, text: str) -> Path:
    (folder / "warninglists.toml").write_text(text)
    return folder


SMALL = """
[[list]]
names = ["own"]
entries = ["10.0.0.0/8"]
effect = "refuse"
match = "network"
label = "x"
penalty = 3
"""


class TestIndexFile:
    def test_it_is_built_once_and_again_when_the_rules_change(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder, cache = rules(tmp_path, SMALL), tmp_path / "cache"
        WarningLists.load(folder, None, cache=cache)
        (file,) = cache.iterdir()
        monkeypatch.setattr(warninglists, "_build", lambda _: pytest.fail("built again"))
        again = WarningLists.load(folder, None, cache=cache)
        assert effects(again, "ipv4-addr:10.1.1.1") == {"x": "refuse"}
        monkeypatch.undo()
        changed = WarningLists.load(rules(tmp_path, SMALL.replace('"x"', '"y"')), None, cache=cache)
        assert effects(changed, "ipv4-addr:10.1.1.1") == {"y": "refuse"}
        assert len(list(cache.iterdir())) == 2
        assert file.exists()

    @pytest.mark.parametrize("content", [b"", b"nonsense", b"\x80"])
    def test_a_damaged_one_is_built_again(self, tmp_path: Path, content: bytes) -> None:
        folder, cache = rules(tmp_path, SMALL), tmp_path / "cache"
        WarningLists.load(folder, None, cache=cache)
        (file,) = cache.iterdir()
        whole = file.read_bytes()
        file.write_bytes(content)
        assert effects(WarningLists.load(folder, None, cache=cache), "ipv4-addr:10.1.1.1") == {"x": "refuse"}
        assert file.read_bytes() == whole

    def test_without_a_place_to_keep_it_it_works(self, tmp_path: Path) -> None:
        folder = rules(tmp_path, SMALL)
        (tmp_path / "file").touch()
        lists = WarningLists.load(folder, None, cache=tmp_path / "file" / "cache")
        assert effects(lists, "ipv4-addr:10.1.1.1") == {"x": "refuse"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[list]", "warninglists.toml"),
        ("", "list"),
        (SMALL.replace("refuse", "block"), "effect"),
        (SMALL.replace("penalty = 3", "penalty = 300"), "penalty"),
        (SMALL + "colour = 1\n", "colour"),
        (SMALL.replace('["own"]', '["no-such-list"]').replace('entries = ["10.0.0.0/8"]\n', ""), "no-such-list"),
    ],
)
def test_bad_declarations_are_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(BadSettings, match=words):
        WarningLists.load(rules(tmp_path, text), None, cache=tmp_path)


@pytest.mark.parametrize("text", ["networks = 1", 'networks = ["10.0.0.1/8"]', 'domains = ["a b"]', "colour = 1", "x"])
def test_bad_assets_are_named(tmp_path: Path, text: str) -> None:
    assets = tmp_path / "assets.toml"
    assets.write_text(text)
    with pytest.raises(BadSettings, match=r"assets\.toml"):
        WarningLists.load(rules(tmp_path, SMALL), assets, cache=tmp_path)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(NoSuchFile, match=r"warninglists\.toml"):
        WarningLists.load(tmp_path, None)
    with pytest.raises(NoSuchFile, match=r"assets\.toml"):
        WarningLists.load(rules(tmp_path, SMALL), tmp_path / "assets.toml", cache=tmp_path)


def test_the_example_of_own_assets_can_be_loaded(tmp_path: Path) -> None:
    example = shutil.copy(ROOT / "feeds" / "assets.example.toml", tmp_path / "assets.toml")
    lists = WarningLists.load(rules(tmp_path, SMALL), Path(example), cache=tmp_path)
    assert lists.is_own(canonical("domain-name", "www.city.example"))
