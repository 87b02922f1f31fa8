"""The versions of a document that can be told apart: the newest, the one that readers see, and replaced ones whose files are kept."""

from uuid import UUID

from litestar import Router, get
from litestar.params import FromPath

from api.documents.ports import DocumentPorts
from api.documents.routes import DocumentName, find_submitted, latest_version
from api.http.gate import KNOWLEDGE_READ
from api.http.openapi import PROBLEMS, Cursor, Limit
from api.http.request import ApiRequest
from domain.documents.progress import shown_title
from domain.documents.versions import title_of_kept
from schemas import ids
from schemas.bodies.knowledge import DocumentVersionView, VersionStanding
from schemas.bodies.pages import Page
from schemas.documents import KeptVersion, Progress
from streams.tables.cursor import decode_cursor, encode_cursor, invalid_cursor


@get(
    "/knowledge/{knowledge_base_id:str}/documents/{document_id:str}/versions",
    opt=KNOWLEDGE_READ,
    responses=PROBLEMS,
    summary="List the versions of a document",
)
async def list_versions(
    request: ApiRequest, knowledge_base_id: FromPath[UUID], document_id: DocumentName, limit: Limit = 20, cursor: Cursor = ""
) -> Page[DocumentVersionView]:
    """The newest first. Replaced versions are there as long as their files are kept. A version with the content of the present one is not
    listed beside it.
    """
    ports, tenant = request.ports(DocumentPorts), request.user.tenant
    before = _parse_cursor(cursor)
    base = await ports.http.access.find_knowledge_base(request.user, str(knowledge_base_id))
    latest = await latest_version(request, base.id, document_id)
    key = ids.document_key(tenant, base.id, document_id)
    visible = (await ports.core.visibility.version_states((key,)))[key].visible_version
    kept = {each.version: each for each in await ports.core.visibility.list_kept(key)}
    progress = await ports.core.read_models.documents.get(f"{tenant}/{base.id}", document_id)
    is_same = visible is not None and progress is not None and progress.version == latest and progress.state == "unchanged"
    versions = {*kept, *(() if visible is None else (visible,)), *(() if is_same else (latest,))}
    listed = sorted((version for version in versions if before is None or version < before), reverse=True)
    views = []
    for version in listed[:limit]:
        file_of = latest if is_same and version == visible else version
        state = _standing(version, visible, latest, progress)
        described = progress if progress is not None and progress.version == file_of else None
        views.append(await _view(ports, key, version, file_of, state, kept.get(version), described))
    return Page(items=tuple(views), next_cursor=encode_cursor(str(listed[limit - 1]).encode()) if len(listed) > limit else None)


async def _view(
    ports: DocumentPorts,
    key: str,
    version: int,
    file_of: int,
    state: VersionStanding,
    kept: KeptVersion | None,
    progress: Progress | None,
) -> DocumentVersionView:
    """A version by the description that is kept of it, else by the submission ``file_of`` on the log, and what its progress says."""
    if kept is not None:
        return DocumentVersionView(
            version=version,
            state=state,
            title=title_of_kept(kept, key.split("/", 2)[2]),
            filename=kept.filename,
            media_type=kept.media_type,
            bytes=kept.bytes,
            submitted_at=kept.submitted_at,
            has_file=True,
        )
    event = await find_submitted(ports, key, file_of)
    document = None if event is None else event.data
    title, media_type = (progress.title, progress.media_type) if progress is not None else ("", "")
    return DocumentVersionView(
        version=version,
        state=state,
        title=title or (shown_title(document) if document is not None else ""),
        filename=document.filename if document is not None else "",
        media_type=media_type or (document.media_type if document is not None else ""),
        bytes=document.bytes if document is not None else 0,
        submitted_at=event.time if event is not None else None,
        has_file=document is not None and (document.blob is not None or (bool(document.url) and state == "present")),
    )


def _standing(version: int, visible: int | None, latest: int, progress: Progress | None) -> VersionStanding:
    if version == visible:
        return "present"
    if version < latest:
        return "replaced"
    return "failed" if progress is not None and progress.version == version and progress.state == "failed" else "pending"


def _parse_cursor(cursor: str) -> int | None:
    """The version after which the page begins; None for the first page."""
    if not cursor:
        return None
    position = decode_cursor(cursor)
    if not position.isdigit():
        raise invalid_cursor()
    return int(position)


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[list_versions], tags=["documents"])
