"""One spelling for names that Windows compares without case: files, folders and registry keys."""

from __future__ import annotations

import re

_BACKSLASHES = re.compile(r"(?<=.)\\{2,}", re.DOTALL)
_HIVES = {
    "hklm": "HKEY_LOCAL_MACHINE",
    "hkcu": "HKEY_CURRENT_USER",
    "hkcr": "HKEY_CLASSES_ROOT",
    "hku": "HKEY_USERS",
    "hkcc": "HKEY_CURRENT_CONFIG",
}


def file_name(text: str) -> str:
    """Return a file name in lower case, without quotes around it; a path is kept whole."""
    name = unquoted(text).lower()
    return _BACKSLASHES.sub(r"\\", name)


def directory(text: str) -> str:
    r"""Return a folder in lower case without end separator; doubled (escaped) backslashes are single ones."""
    path = _BACKSLASHES.sub(r"\\", unquoted(text).lower())
    shorter = path.rstrip("\\/")
    return shorter if shorter and not shorter.endswith(":") else path


def registry_key(text: str) -> str:
    r"""Return a registry key with its hive in full and capitals, the rest in lower case, no end backslash.

    ``HKLM\Software\\Evil`` becomes ``HKEY_LOCAL_MACHINE\software\evil``.
    """
    path = _BACKSLASHES.sub(r"\\", unquoted(text).replace("/", "\\") if "\\" not in text else unquoted(text))
    hive, slash, rest = path.strip("\\").partition("\\")
    hive = hive.removesuffix(":")
    return _HIVES.get(hive.lower(), hive.upper()) + slash + rest.lower()


def unquoted(text: str) -> str:
    """Take off blanks and pairs of quotes around a text."""
    text = text.strip()
    while len(text) > 1 and text[0] == text[-1] and text[0] in "\"'`":
        text = text[1:-1].strip()
    return text
