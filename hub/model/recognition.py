"""What a text is: from one value of a feed with the feed's own word for its type, or from a pasted, mixed text."""

from __future__ import annotations

import re

from hub.model import names, paths
from hub.model.canonical import NotObservable, Observable, canonical
from hub.model.defang import refang

_HINTS: dict[str, str] = {
    word: kind
    for kind, words in {
        "ipv4-addr": "ip ips ipv4 ipv6 ipaddr ipaddress ipdst ipsrc ipport ipdstport ipsrcport cidr netblock network "
        "ipv4addr ipv6addr address srcip dstip destip clientip host4 c2 ipv4port range subnet",
        "domain-name": "domain domains hostname hostnames host fqdn dns domainname domainip name sni domainport rrname",
        "url": "url urls uri uris link urlpath",
        "email-addr": "email emails mail emailaddr emailaddress emailsrc emaildst emailsender sender emailfrom from "
        "emailreplyto recipient targetemail whoisregistrantemail",
        "file-md5": "md5 md5hash filehashmd5 filemd5 filenamemd5 hashmd5",
        "file-sha1": "sha1 sha1hash filehashsha1 filesha1 filenamesha1 hashsha1",
        "file-sha256": "sha256 sha256hash filehashsha256 filesha256 filenamesha256 sha2 hashsha256",
        "file-sha512": "sha512 sha512hash filehashsha512 filenamesha512",
        "file-ssdeep": "ssdeep filenamessdeep",
        "file-tlsh": "tlsh filenametlsh",
        "file-imphash": "imphash filehashimphash filenameimphash",
        "certificate-sha1": "x509fingerprintsha1 sslcertfingerprint certificatesha1 certsha1 sslsha1 sslfp sslblsha1 "
        "tlsfingerprint fingerprint x509certificatesha1 certificatefingerprint sslcertificatesha1 tlscertsha1",
        "certificate-sha256": "x509fingerprintsha256 certificatesha256 certsha256 sslcertfingerprintsha256",
        "certificate-md5": "x509fingerprintmd5 certificatemd5",
        "certificate-serial": "certificateserial serialnumber sslserial x509serialnumber certserial",
        "ja3": "ja3 ja3fingerprint ja3fingerprintmd5 ja3hash ja3md5",
        "ja3s": "ja3s ja3shash",
        "file-name": "filename file filepath path filenameorpath",
        "directory": "directory folder dir",
        "windows-registry-key": "regkey registry registrykey regkeyvalue windowsregistrykey reg",
        "mutex": "mutex mutexname",
        "user-agent": "useragent httpuseragent ua",
        "user-account": "user username account login useraccount",
        "email-subject": "emailsubject subject mailsubject",
        "process-name": "process processname image",
        "mac-addr": "mac macaddress macaddr",
        "autonomous-system": "as asn autonomoussystem",
        "vulnerability": "cve vulnerability cveid",
        "cryptocurrency-wallet": "btc xmr bitcoin bitcoinaddress cryptowallet cryptocurrencywallet wallet eth ethereum",
    }.items()
    for word in words.split()
}
"""Sources' words for types, without blanks and signs."""

_NETWORK_KINDS = frozenset({"ipv4-addr", "domain-name", "url", "email-addr"})
_NOT_WORD = re.compile(r"[^a-z0-9]")
_HASH_KINDS = {32: "file-md5", 40: "file-sha1", 64: "file-sha256", 128: "file-sha512"}
_HEX = re.compile(r"[0-9A-Fa-f]+")
_URL_START = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:/\s]+):([0-9]{1,5})")
_AS = re.compile(r"ASN?\s?[0-9]{1,10}", re.IGNORECASE)
_CVE = re.compile(r"CVE[-_][0-9]{4}[-_][0-9]{4,19}", re.IGNORECASE)
_MAC = re.compile(r"(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}")
_REGISTRY = re.compile(r"(?:HKLM|HKCU|HKCR|HKU|HKCC|HKEY_[A-Z_]+):?\\.+", re.IGNORECASE | re.DOTALL)
_WINDOWS_PATH = re.compile(r"(?:[A-Za-z]:\\|\\\\[^\\]+\\|%[A-Za-z]+%\\).+", re.DOTALL)
_HASH_FAMILIES = ("file-", "certificate-")


def recognise(text: str, hint: str | None = None) -> Observable:
    """Return the observable that one value of a source means.

    The value is refanged and decides its type; the hint decides where a value alone cannot: which hash of 40 digits,
    and names and texts of every kind (``evil.com`` under ``filename`` is a file). Ports behind hosts are dropped, of
    MISP's composite values (``domain|ip``, ``filename|sha256``) the part that says more is taken.

    Args:
        text: the value as the source spells it.
        hint: the source's own word for the type (``ipaddress``, ``md5_hash``, ``ip:port``, …), or None.

    Raises:
        NotObservable: nothing that the hub knows.
    """
    text = paths.unquoted(text)
    kind = _HINTS.get(_NOT_WORD.sub("", hint.lower())) if hint else None
    if hint and "|" in hint and "|" in text:
        return _composite(text, hint)
    if kind is not None and kind not in _NETWORK_KINDS:
        if kind != "file-name":
            return _hash(kind, text) if kind.startswith(_HASH_FAMILIES) else canonical(kind, text)
        if not (len(text) in _HASH_KINDS and _HEX.fullmatch(text)):
            return canonical(kind, text)
    return _by_value(refang(text), kind)


def _composite(text: str, hint: str) -> Observable:
    words, parts = hint.split("|"), text.split("|")
    at = 1 if words[0].lower() in {"filename", "malware-sample"} and len(parts) > 1 else 0
    return recognise(parts[at], words[min(at, len(words) - 1)])


def _hash(kind: str, text: str) -> Observable:
    """Read a hash; one whose length is that of another algorithm than the hint's is that other one."""
    try:
        return canonical(kind, text)
    except NotObservable:
        other = _HASH_KINDS.get(len(text)) if kind.startswith("file-") else None
        if other is None or not _HEX.fullmatch(text):
            raise
        return canonical(other, text)


def _by_value(text: str, kind: str | None) -> Observable:
    if not text:
        raise NotObservable("an empty text")
    if _URL_START.match(text):
        return canonical("url", text)
    if _HEX.fullmatch(text) and len(text) in _HASH_KINDS:
        return canonical(_HASH_KINDS[len(text)], text)
    for pattern, found in _SHAPES:
        if pattern.fullmatch(text):
            return canonical(found, text)
    if "@" in text and "/" not in text:
        return canonical("email-addr", text)
    return _host_or_url(text, kind)


_SHAPES = (
    (_CVE, "vulnerability"),
    (_AS, "autonomous-system"),
    (_MAC, "mac-addr"),
    (_REGISTRY, "windows-registry-key"),
    (_WINDOWS_PATH, "file-name"),
)


def _host_or_url(text: str, kind: str | None) -> Observable:
    try:
        return canonical("ipv4-addr", text)
    except NotObservable:
        pass
    port = _PORT.fullmatch(text)
    name = port[1] if port else text
    if "/" in name or "?" in name:
        head = re.split("[/?#]", name, maxsplit=1)[0].partition(":")[0]
        _checked_host(head, kind)
        return canonical("url", text)
    return _checked_host(name.removeprefix("*.").removeprefix("."), kind)


def _checked_host(text: str, kind: str | None) -> Observable:
    """Read a host; without a hint its name must end like names on the Internet do."""
    found = canonical("domain-name", text.strip("[]") if ":" in text else text)
    if found.kind == "domain-name":
        _, dot, last = found.value.rpartition(".")
        if not dot or (kind is None and not names.is_known_tld(last)):
            raise NotObservable(f"{text[:80]!r} is nothing known")
    return found


_C = r"[^\s\x00-\x2c\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x7f.]"  # in a name: letters of any script, digits, - and _
_NAME = rf"(?:{_C}{{1,63}}+\.(?={_C}))++[^\W\d_][\w-]{{1,62}}+"
_TAIL = r"[^\s<>\"'`|]{0,4096}+"
_CANDIDATES = re.compile(
    rf"(?P<url>(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{{1,20}}+://[^\s<>\"'`|\\^{{}}]{{1,4096}}+)"
    r"|(?P<cve>\bCVE[-_][0-9]{4}[-_][0-9]{4,19}\b)"
    r"|(?P<mac>(?<![\w:.-])(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}(?![\w:-]))"
    r"|(?P<ipv6>(?<![\w:.])(?=[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:)[0-9A-Fa-f:.]{2,46}+(?:/[0-9]{1,3})?(?![\w:]))"
    rf"|(?P<mail>(?<![A-Za-z0-9_.+=%-])[\w.+=%-]{{1,64}}+@{_NAME})"
    r"|(?P<hash>(?<![\w-])(?:[0-9A-Fa-f]{128}|[0-9A-Fa-f]{64}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{32})(?![\w-]))"
    r"|(?P<ipv4>(?<![\w.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![\w]|\.[0-9])(?:/[0-9]{1,2}(?![\w/]))?"
    rf"(?::[0-9]{{1,5}})?(?:/{_TAIL})?)"
    r"|(?P<as>\bASN?[0-9]{1,10}\b)"
    rf"|(?P<name>(?<!{_C})(?<!\.){_NAME}(?::[0-9]{{1,5}})?(?:/{_TAIL})?)",
    re.IGNORECASE,
)
"""What may be something in a text. Every part begins at a border and is bounded, so that time stays linear."""

_TRAILING = ".,;:!?'\"*"


def recognise_all(text: str) -> list[Observable]:
    """Return what a pasted, mixed text holds (defanged or not), in its order and without repeats."""
    found: dict[Observable, None] = {}
    for match in _CANDIDATES.finditer(refang(text)):
        candidate = _without_trailing(match[0])
        try:
            found[_by_value(candidate, None)] = None
        except NotObservable:
            continue
    return list(found)


def _without_trailing(text: str) -> str:
    """Take off what belongs to the sentence around a value: full stops, commas, a bracket that nothing opened."""
    while text:
        last = text[-1]
        opening = {")": "(", "]": "[", "}": "{"}.get(last)
        ends_sentence = last in _TRAILING and not text.endswith("::")
        if not ends_sentence and not (opening and text.count(last) > text.count(opening)):
            break
        text = text[:-1]
    return text
