"""The errors of documents alone."""

from collections.abc import Mapping
from http import HTTPStatus

from schemas.documents import CANCELLED_CODE
from schemas.errors import Code

DOCUMENT_CANCELLED = Code(
    HTTPStatus.CONFLICT,
    "The processing of this version was cancelled",
    "Reprocess the document, or submit it again. Readers see the version before, if there is one.",
    "该版本的处理已被取消",
    "请重新处理该文档，或重新提交。读者看到的仍是之前的版本（如有）。",
    code=CANCELLED_CODE,
    is_lasting=True,
)

ERRORS: Mapping[str, Code] = {DOCUMENT_CANCELLED.code: DOCUMENT_CANCELLED}
