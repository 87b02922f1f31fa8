"""The version that a citation names: what has become of it, and where its file is."""

from dataclasses import dataclass

from msgspec.structs import replace

from api.documents.routes import find_submission
from api.http.request import ApiRequest
from api.sources.ports import SourcePorts
from domain.documents.sources import StoredFile, find_kept_file, find_stored_file
from domain.documents.versions import title_of_kept
from domain.documents.visibility import VersionState
from schemas import ids
from schemas.bodies.sources import NoPages, SourceState
from schemas.documents import Document, KeptVersion, Progress
from schemas.errors import Refused

FILE_FRESH_S = 3_600.0  # a version never gets another file


@dataclass(frozen=True, slots=True, kw_only=True)
class CitedVersion:
    """A version of a document that the caller may read. ``progress`` is that of the newest one; ``kept`` describes its own file, if that
    is kept although a newer version was submitted.
    """

    tenant: str
    knowledge_base_id: str
    document_id: str
    version: int
    versions: VersionState
    progress: Progress | None
    kept: KeptVersion | None = None

    @property
    def key(self) -> str:
        """The document's key."""
        return ids.document_key(self.tenant, self.knowledge_base_id, self.document_id)

    @property
    def state(self) -> SourceState:
        """What has become of it."""
        if self.versions.latest <= self.versions.deleted:
            return "deleted"
        return "present" if self.is_visible else "changed"

    @property
    def is_visible(self) -> bool:
        """Whether readers see this very version."""
        return self.versions.is_visible(self.version)

    @property
    def is_withdrawn(self) -> bool:
        """Whether its owner deleted it, and possibly submitted the document again since: nothing of it is shown."""
        return self.version <= self.versions.deleted

    @property
    def media_type(self) -> str:
        """The detected type of its content, where that is known still."""
        if self.progress is not None and self.is_newest:
            return self.progress.media_type
        return self.kept.media_type if self.kept is not None else ""

    @property
    def title(self) -> str:
        """What it is called, or what the newest version is where that is not known."""
        if self.kept is not None:
            return title_of_kept(self.kept, self.document_id)
        return self.progress.title if self.progress is not None else ""

    @property
    def is_newest(self) -> bool:
        """Whether the newest version is this one, or was found to be the same."""
        same = self.is_visible and self.progress is not None and self.progress.state == "unchanged"
        return self.progress is not None and (self.progress.version == self.version or same)


class NoFile(Exception):
    """There is no file to show; ``reason`` says why."""

    def __init__(self, reason: NoPages) -> None:
        super().__init__(reason)
        self.reason: NoPages = reason


async def find_version(request: ApiRequest, base_id: str, document_id: str, version: int) -> CitedVersion:
    """The version; Refused("not_found") when the caller may not read the knowledge base, or the document never had such a version."""
    ports, tenant = request.ports(SourcePorts), request.user.tenant
    base = await ports.http.access.find_knowledge_base(request.user, base_id)
    key = ids.document_key(tenant, base.id, document_id)
    versions = (await ports.core.visibility.version_states((key,)))[key]
    progress = await ports.core.read_models.documents.get(f"{tenant}/{base.id}", document_id)
    if progress is not None and progress.version > versions.latest:
        versions = replace(versions, latest=progress.version)
    if not 0 <= version <= versions.latest:
        raise Refused("not_found", f"there is no version {version} of the document {document_id}")
    kept = [each for each in await ports.core.visibility.list_kept(key) if each.version == version]
    return CitedVersion(
        tenant=tenant,
        knowledge_base_id=base.id,
        document_id=document_id,
        version=version,
        versions=versions,
        progress=progress,
        kept=kept[0] if kept else None,
    )


async def find_file(request: ApiRequest, cited: CitedVersion) -> StoredFile:
    """The file that is kept of this version, or of a newer one with the same content. Raises NoFile, and Unavailable when the log cannot
    be read.
    """
    if cited.is_withdrawn:
        raise NoFile("file_removed")
    ports = request.ports(SourcePorts)
    if cited.kept is not None:
        return await _find_kept(ports, cited.kept)
    place = (cited.key, cited.version, cited.versions.latest)  # a newer version has its own copy of the same file
    known = ports.files.get(place, FILE_FRESH_S)
    if known is not None:
        return known
    own, newest = await _read_submission(ports, cited, cited.version), None
    if cited.versions.latest != cited.version:
        newest = await _read_submission(ports, cited, cited.versions.latest)
    if newest is not None and (cited.is_newest or (own is not None and _is_same_file(own, newest))):
        found = await _find_file_of(ports, cited, newest, cited.versions.latest)
    elif own is not None:
        found = await _find_file_of(ports, cited, own, cited.version)
    else:
        raise NoFile("file_removed")
    ports.files.put(place, found)
    return found


async def _read_submission(ports: SourcePorts, cited: CitedVersion, version: int) -> Document | None:
    return await find_submission(ports.documents, cited.key, version)


async def _find_kept(ports: SourcePorts, kept: KeptVersion) -> StoredFile:
    if kept.encrypted:
        raise NoFile("encrypted")
    try:
        return await find_kept_file(ports.documents.blobs, kept)
    except Refused:
        raise NoFile("file_removed") from None


async def _find_file_of(ports: SourcePorts, cited: CitedVersion, document: Document, version: int) -> StoredFile:
    if document.sealed_password:
        raise NoFile("encrypted")
    try:
        found = await find_stored_file(ports.documents.blobs, document, cited.tenant, version)
    except Refused:
        raise NoFile("file_removed") from None
    if found is None:
        raise NoFile("no_pages")
    return found


def _is_same_file(own: Document, newest: Document) -> bool:
    return own.blob is not None and newest.blob is not None and own.blob.sha256 == newest.blob.sha256
