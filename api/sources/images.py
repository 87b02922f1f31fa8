"""The images of a document's pages."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Literal, cast
from uuid import UUID

from litestar import Response, Router, get
from litestar.openapi.spec import OpenAPIFormat, OpenAPIMediaType, OpenAPIResponse, OpenAPIType, Operation, Schema
from litestar.params import FromPath, QueryParameter

from adapters.pages.images import MEDIA_TYPE
from api.documents.routes import DocumentName
from api.http.gate import KNOWLEDGE_READ
from api.http.openapi import PROBLEMS
from api.http.request import ApiRequest
from api.sources.image_cache import ImageKey
from api.sources.pages import find_stored, open_file
from api.sources.ports import SourcePorts
from api.sources.versions import NoFile, find_version
from domain.documents.sources import StoredFile
from schemas.errors import Refused

BROWSER_S = 3_600  # that a browser keeps an image: a version never changes
FORMAT = 1  # part of an image's ETag: raise it when the same page comes out otherwise

Width = Annotated[Literal[480, 800, 1200, 1600], QueryParameter(name="width", description="Width in pixels, at most.")]


@dataclass
class ImageOperation(Operation):
    """An operation whose answer is an image."""

    def __post_init__(self) -> None:
        answer = cast("dict[str, OpenAPIResponse]", self.responses)["200"]
        answer.content = {MEDIA_TYPE: OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY))}


@get(
    "/knowledge/{knowledge_base_id:str}/documents/{document_id:str}/versions/{version:int}/pages/{page:int}",
    opt=KNOWLEDGE_READ,
    responses=PROBLEMS,
    summary="Get the image of a page",
    operation_class=ImageOperation,
)
async def page_image(
    request: ApiRequest,
    knowledge_base_id: FromPath[UUID],
    document_id: DocumentName,
    version: FromPath[int],
    page: FromPath[int],
    width: Width = 1200,
) -> Response[bytes]:
    """A page of a version that ``source`` shows as pages, as WebP. With ``If-None-Match`` one that has not changed is ``304``."""
    cited = await find_version(request, str(knowledge_base_id), document_id, version)
    try:
        file = await find_stored(request, cited)
    except NoFile as gone:
        raise Refused("not_found", f"version {version} of the document is not shown as pages: {gone.reason}") from None
    tag = f'"{file.blob.sha256[:32]}-{page}-{width}-{FORMAT}"'
    headers = {"ETag": tag, "Cache-Control": f"private, max-age={BROWSER_S}"}
    if tag in {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}:
        return Response(b"", status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    key = ImageKey(cited.tenant, file.blob.sha256, page, width)
    return Response(await _image(request, file, key), media_type=MEDIA_TYPE, headers=headers)


async def _image(request: ApiRequest, file: StoredFile, key: ImageKey) -> bytes:
    """From the cache, or made now. Raises what the renderer raises."""
    ports = request.ports(SourcePorts)
    image = ports.images.get(key)
    if image is None:
        assert ports.renderer is not None
        try:
            async with open_file(request, file) as source:
                image = await ports.renderer.render(source, key.page, key.width, tenant=key.tenant)
        except Refused as refusal:
            if refusal.code != "file_missing":
                raise
            raise Refused("not_found", "the file of this version is no longer stored") from None
        ports.images.put(key, image)
    return image


def router() -> Router:
    """The routes of this module."""
    return Router("", route_handlers=[page_image], tags=["sources"])
