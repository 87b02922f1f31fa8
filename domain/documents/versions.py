"""The replaced versions of a document whose files are kept: how the visibility record and the log have them."""

from collections.abc import Sequence

import msgspec

from schemas.documents import Document, DocumentSubmitted, KeptVersion, KeptVersions, Withdrawal

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(KeptVersion).decode


def describe_file(event: DocumentSubmitted, version: int, path: str) -> KeptVersion | None:
    """What is kept of this version should it be replaced; None for a text, which has no file."""
    if not path:
        return None
    document = event.data
    return KeptVersion(
        version=version,
        path=path,
        sha256=document.blob.sha256 if document.blob else "",
        bytes=document.blob.bytes if document.blob else 0,
        title=document.title,
        filename=document.filename,
        media_type="" if document.url else document.media_type,
        submitted_at=event.time,
        encrypted=bool(document.sealed_password),
    )


def title_of_kept(kept: KeptVersion, document_id: str) -> str:
    """What a kept version is called: the owner's title, else its file's name."""
    return (kept.title if kept.title != document_id else "") or kept.filename or document_id


def encode_file(file: KeptVersion | None) -> str:
    """The description as the visibility record has it: no tab and no line feed in it; "" for none."""
    return "" if file is None else _encode(file).decode()


def encode_entries(kept: Sequence[KeptVersion]) -> str:
    """Entries of the field ``kept``: a line "version TAB path TAB description" each."""
    return "".join(f"{each.version}\t{each.path}\t{encode_file(each)}\n" for each in kept)


def parse_field(field: str) -> tuple[int, tuple[KeptVersion, ...]]:
    """The version that changed the field ``kept`` last (-1: none), and its entries; one that does not decode is left out."""
    stamp, _, lines = field.partition("\n")
    kept = []
    for line in lines.split("\n"):
        version, _, rest = line.partition("\t")
        try:
            kept.append(msgspec.structs.replace(_decode(rest.partition("\t")[2]), version=int(version)))
        except (msgspec.DecodeError, ValueError):
            continue
    return (int(stamp) if stamp.isdigit() else -1), tuple(kept)


def describe_kept(data: Document | Withdrawal, version: int, kept: Sequence[KeptVersion], present: str) -> KeptVersions:
    """The record of the log since ``version``; ``present`` is the path of that version's file, "" for none."""
    sizes = {each.path: each.bytes for each in kept if each.path != present}
    return KeptVersions(
        knowledge_base_id=data.knowledge_base_id,
        document_id=data.document_id,
        version=version,
        kept=tuple(kept),
        bytes=sum(sizes.values()),
    )
