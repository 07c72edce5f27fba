"""Where a document connector reads from: one address, one file, or a folder of files, read only when changed."""

from __future__ import annotations

import codecs
import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from connectors.contract import ConnectorSettings, Item, Portion
from connectors.http import Http
from connectors.inflate import PIECE, decompressed
from hub.errors import NoSuchFile, NotThatFormat, SourceUnreachable
from hub.model.items import KEPT, BadItem

_FOREIGN = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
    b"PK\x03\x04": "a ZIP archive",
    b"%PDF": "a PDF document",
    b"\x1f\x8b": "compressed twice",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"7z\xbc\xaf": "a 7z archive",
}
_MARKUP = (b"<!doctype", b"<html", b"<?xml", b"<head", b"<body")


class DocumentSettings(ConnectorSettings):
    """Where the documents are: exactly one of ``url`` and ``path``.

    Attributes:
        url: one address. headers: sent with it; a value may be ``secret:NAME``.
        path: a file or a folder; a relative one counts from the folder of the feed's declaration.
        pattern: which files of a folder, as a glob.
    """

    url: str | None = Field(None, description="Address of the document, https or http.")
    headers: dict[str, str] = Field(default_factory=dict, description="Headers to send; values may be `secret:NAME`.")
    path: Path | None = Field(None, description="File or folder to read instead of an address.")
    pattern: str = Field("**/*", description="Which files of a folder, as a glob.")

    @field_validator("path")
    @classmethod
    def _from_declaration(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        base = (info.context or {}).get("base")
        return Path(base) / path if path is not None and base is not None else path

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.url is not None and self.path is not None:
            raise ValueError("name either url or path, not both")
        return self


@dataclass(frozen=True, slots=True)
class Document:
    """One document that was asked for.

    Attributes:
        name: for places in messages. stream: its content, at its start; None when the content is the known one.
        cursor: what to save once it was read. one_of_many: whether it stands in a folder with others.
    """

    name: str
    stream: BinaryIO | None
    cursor: dict[str, Any]
    one_of_many: bool = False


Read = Callable[[Any, BinaryIO, str], Iterator[Item]]


def portions(
    read: Read, settings: DocumentSettings, cursor: dict[str, Any], http: Http, suffixes: tuple[str, ...] = ()
) -> Iterator[Portion]:
    """Yield one portion per document that changed since the cursor."""
    for document in documents(settings, cursor, http, suffixes):
        items: Iterator[Item] = iter(())
        if document.stream is not None:
            items = read(settings, document.stream, document.name)
        yield Portion(_fault_as_item(items, document.name) if document.one_of_many else items, document.cursor)


def documents(
    settings: DocumentSettings, cursor: dict[str, Any], http: Http, suffixes: tuple[str, ...] = ()
) -> Iterator[Document]:
    """Yield the documents that changed since the cursor, each open until the next one is asked for.

    A document is known by the digest of its content; an address also by the validators that its server gave.

    Raises:
        SourceUnreachable: see `Http.get`; or a file cannot be read.
        NoSuchFile: the declared file or folder is not there, or none is declared.
    """
    if settings.url is not None:
        return _from_address(settings, settings.url, cursor, http)
    if settings.path is not None:
        return _from_files(settings, settings.path, cursor, suffixes)
    raise NoSuchFile("the feed names neither a url nor a path")


def text_of(stream: BinaryIO, name: str) -> io.BufferedReader:
    """Return a document as UTF-8 bytes without a byte order mark, decompressed when it is gzip.

    Raises:
        NotThatFormat: its beginning shows that it is something else: another encoding, an archive, a web page.
    """
    reader = decompressed(stream, name)
    head = reader.peek(512)[:512]
    for magic, kind in _FOREIGN.items():
        if head.startswith(magic):
            raise NotThatFormat(f"{name} is {kind}; it must be plain text in UTF-8, or that in gzip")
    if b"\0" in head:
        raise NotThatFormat(f"{name} is not text in UTF-8: it holds NUL bytes")
    if head.startswith(codecs.BOM_UTF8):
        reader.read(len(codecs.BOM_UTF8))
        head = head[len(codecs.BOM_UTF8) :]
    if head.lstrip().lower().startswith(_MARKUP):
        raise NotThatFormat(f"{name} is a web page, not the declared format; the source may ask for a login or be down")
    return reader


def _from_address(settings: DocumentSettings, url: str, cursor: dict[str, Any], http: Http) -> Iterator[Document]:
    known: dict[str, str] = {key: str(cursor[key]) for key in ("etag", "last_modified") if key in cursor}
    with http.get(url, headers=settings.headers, validators=known) as answer:
        if answer.unchanged:
            return
        after = {**answer.validators, "digest": _digest(answer.body)}
        name = url.partition("?")[0].rstrip("/").rpartition("/")[2] or "the answer"
        yield Document(name, None if after["digest"] == cursor.get("digest") else answer.body, after)


def _from_files(
    settings: DocumentSettings, path: Path, cursor: dict[str, Any], suffixes: tuple[str, ...]
) -> Iterator[Document]:
    known: dict[str, str] = cursor.get("files", {})
    files: dict[str, str] = {}
    many = path.is_dir()
    found = {
        file.relative_to(path).as_posix() if many else file.name: file for file in _files(path, settings, suffixes)
    }
    for name, file in found.items():
        try:
            stream = file.open("rb")
        except OSError as fault:
            raise SourceUnreachable(f"{name} cannot be read: {fault.strerror}") from None
        with stream:
            files[name] = _digest(stream)
            if known.get(name) != files[name]:
                left = {other: known[other] for other in found if other in known and other not in files}
                yield Document(name, stream, {"files": {**left, **files}}, many)


def _files(path: Path, settings: DocumentSettings, suffixes: tuple[str, ...]) -> list[Path]:
    if not path.is_dir():
        if not path.is_file():
            raise NoSuchFile(f"the feed's file or folder {path.name} is not there")
        return [path]
    found = (file for file in path.glob(settings.pattern) if file.is_file() and not file.name.startswith("."))
    return sorted(file for file in found if not suffixes or file.name.lower().removesuffix(".gz").endswith(suffixes))


def _fault_as_item(items: Iterator[Item], name: str) -> Iterator[Item]:
    """Keep one file that is something else from stopping its folder."""
    try:
        yield from items
    except NotThatFormat as fault:
        yield BadItem(b"", fault.code, fault.message, place=name)


def _digest(stream: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := stream.read(PIECE):
        digest.update(chunk)
    stream.seek(0)
    return digest.hexdigest()[:32]


def kept(raw: bytes) -> bytes:
    """Cut refused bytes to what the quarantine keeps."""
    return raw[:KEPT]
