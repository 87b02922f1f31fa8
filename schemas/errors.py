"""The error catalogue and the exceptions that carry it.

Exceptions are split by what the caller does next: a ``Refused`` is the caller's to mend and is never retried, an ``Unavailable`` passes by
itself and is retried with back-off, a ``ConfigurationError`` is the operator's. Codes are stable: released ones are never renamed.
"""

from http import HTTPStatus

from msgspec import Struct
from msgspec.structs import replace

from schemas.errors_zh import CHINESE


class FieldError(Struct, frozen=True):
    """One bad field: ``field`` is a path such as ``data.title``, ``limit`` what would have been accepted."""

    field: str
    detail: str
    limit: str = ""


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RFC 9457 problem; also the shape of a failure inside events."""

    type: str = ""
    title: str = ""
    status: int = 500
    detail: str = ""
    code: str = "internal_error"
    request_id: str = ""
    errors: tuple[FieldError, ...] = ()
    reply_id: str = ""  # conversation_busy: the reply to wait for
    retry_after_s: int = 0
    rule: str = ""  # rate_limited, quota_exceeded: the rule that refused
    remedy: str = ""  # what to do about it
    title_zh: str = ""
    remedy_zh: str = ""


class Code(Struct, frozen=True):
    """A catalogue line: HTTP status, title, and what the caller should do. One that an area declares carries its Chinese and its code."""

    status: HTTPStatus
    title: str
    remedy: str
    title_zh: str = ""
    remedy_zh: str = ""
    code: str = ""


CATALOGUE: dict[str, Code] = {
    # the request
    "invalid_request": Code(HTTPStatus.BAD_REQUEST, "The request cannot be read", "Send well-formed UTF-8 JSON."),
    "validation_failed": Code(HTTPStatus.UNPROCESSABLE_ENTITY, "A field is not acceptable", "Correct the fields listed in errors."),
    "body_too_large": Code(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large", "Send less, or split it."),
    "unsupported_parameter": Code(
        HTTPStatus.BAD_REQUEST, "This parameter is not offered here", "Leave it out, or see docs/openai.md for what is."
    ),
    "unsupported_media_type": Code(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "This content type is not accepted", "Use one of the listed types."),
    "credential_in_url": Code(
        HTTPStatus.BAD_REQUEST, "A credential stands in the URL", "Send it in the first frame or as a subprotocol; renew this one."
    ),
    "not_found": Code(HTTPStatus.NOT_FOUND, "There is no such thing here", "Check the id and the account it belongs to."),
    "model_not_found": Code(HTTPStatus.NOT_FOUND, "There is no such model here", "Use one of GET /v1/models."),
    "method_not_allowed": Code(HTTPStatus.METHOD_NOT_ALLOWED, "This method is not offered here", "See /schema."),
    "idempotency_conflict": Code(
        HTTPStatus.CONFLICT, "This Idempotency-Key was used with another body", "Use a new key for a new request."
    ),
    "lost_update": Code(HTTPStatus.PRECONDITION_FAILED, "The record changed since you read it", "Read it again, then retry with its ETag."),
    # who
    "unauthenticated": Code(HTTPStatus.UNAUTHORIZED, "No valid credential", "Log in, or send an API key as a bearer token."),
    "login_failed": Code(HTTPStatus.UNAUTHORIZED, "E-mail or password is wrong", "Check both."),
    "forbidden": Code(HTTPStatus.FORBIDDEN, "This credential may not do that", "Use one with the scope or role."),
    "access_denied": Code(HTTPStatus.FORBIDDEN, "You are on the deny list", "Ask the operator to take you off it."),
    "email_taken": Code(HTTPStatus.CONFLICT, "This e-mail is registered", "Log in instead."),
    "rate_limited": Code(HTTPStatus.TOO_MANY_REQUESTS, "Too many requests", "Wait for Retry-After seconds."),
    "quota_exceeded": Code(
        HTTPStatus.TOO_MANY_REQUESTS, "The quota is used up", "Wait for Retry-After seconds, or have the operator raise the quota of rule."
    ),
    # conversations
    "conversation_busy": Code(HTTPStatus.CONFLICT, "A reply is still open in this conversation", "Wait for reply_id to end, or cancel it."),
    "reply_finished": Code(HTTPStatus.CONFLICT, "This reply has ended", "Nothing is left to cancel."),
    "reply_expired": Code(HTTPStatus.GONE, "The log no longer keeps this reply", "Read the message instead."),
    "answer_failed": Code(HTTPStatus.BAD_GATEWAY, "The answer could not be made", "Ask again."),
    "model_unavailable": Code(HTTPStatus.BAD_GATEWAY, "The model provider did not answer", "Ask again later."),
    "model_refused": Code(
        HTTPStatus.BAD_GATEWAY, "The model provider refused the request", "The operator must check the provider's settings."
    ),
    "model_answer_empty": Code(
        HTTPStatus.BAD_GATEWAY,
        "The model gave no answer",
        "Raise the limit of tokens (max_tokens; the operator CLAW_MODEL_MAX_TOKENS) or turn the model's thinking off, which counts against"
        " it; if the model did not think, word the question differently.",
    ),
    "answer_interrupted": Code(HTTPStatus.BAD_GATEWAY, "The answer broke off", "Ask again; the text so far is kept."),
    # documents
    "document_too_large": Code(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The document is too large", "Split it."),
    "document_empty": Code(HTTPStatus.UNPROCESSABLE_ENTITY, "The document has no text", "Send one with text."),
    "document_unreadable": Code(HTTPStatus.UNPROCESSABLE_ENTITY, "The document cannot be parsed", "Check that it is what its type says."),
    "document_crashed_parser": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY, "Parsing this document ended the parser", "Send it in another format."
    ),
    "document_too_complex": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "Parsing this document reaches a limit",
        "Split it or simplify it; the operator can raise the limit that detail names.",
    ),
    "document_type_unsupported": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "This type of file is not read",
        "Send PDF, DOCX, XLSX, XLS, PPTX, HTML, Markdown, text, CSV, EML, or a ZIP of these.",
    ),
    "password_required": Code(HTTPStatus.UNPROCESSABLE_ENTITY, "The file is encrypted", "Send it again with its password."),
    "password_wrong": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY, "The password does not open the file", "Send it again with the right password."
    ),
    "ocr_required": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The file is a scan without readable text",
        "Send a file with text, or have the operator install Tesseract with its languages.",
    ),
    "document_stalled": Code(
        HTTPStatus.INTERNAL_SERVER_ERROR, "The document stood still and could not be moved", "Process it again; report it when that fails."
    ),
    "file_missing": Code(HTTPStatus.GONE, "The file is no longer in the store", "Upload it again."),
    "upload_incomplete": Code(HTTPStatus.BAD_REQUEST, "The upload broke off or is not a multipart form", "Send it again."),
    "url_refused": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY, "This address is not fetched", "Use a public http or https address that robots may read."
    ),
    "url_unreachable": Code(HTTPStatus.UNPROCESSABLE_ENTITY, "The web page cannot be fetched", "Check the address; submit it again later."),
    "index_building": Code(HTTPStatus.CONFLICT, "Another build of this index is under way", "Wait for it, or drop it first."),
    "index_incomplete": Code(
        HTTPStatus.CONFLICT,
        "The new index does not hold every document",
        "See which documents are missing; switch with force to lose them.",
    ),
    # events
    "event_malformed": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY, "The event cannot be decoded", "Compare it with the schema of its topic, mend it, send it again."
    ),
    "event_poisonous": Code(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "The event ended its worker several times",
        "Report it; send it again from the dead letters after the fix.",
    ),
    "event_failed": Code(
        HTTPStatus.INTERNAL_SERVER_ERROR, "The event could not be handled", "Send it again from the dead letters once the cause is gone."
    ),
    # the parts
    "kafka_unavailable": Code(
        HTTPStatus.SERVICE_UNAVAILABLE, "The log did not take the event in time", "Repeat with the same Idempotency-Key."
    ),
    "redis_unavailable": Code(HTTPStatus.SERVICE_UNAVAILABLE, "The tables are out of reach", "Repeat after Retry-After."),
    "index_unavailable": Code(HTTPStatus.SERVICE_UNAVAILABLE, "The index is out of reach", "Repeat after Retry-After."),
    "blobs_unavailable": Code(HTTPStatus.SERVICE_UNAVAILABLE, "The file store is out of reach", "Repeat after Retry-After."),
    "overloaded": Code(HTTPStatus.SERVICE_UNAVAILABLE, "Too much is waiting", "Repeat after Retry-After."),
    "internal_error": Code(HTTPStatus.INTERNAL_SERVER_ERROR, "Something broke here", "Report the request_id."),
}


class ClawError(Exception):
    """Base of everything this product raises on purpose; ``code`` is a key of CATALOGUE, or the line itself that an area declares."""

    code = "internal_error"

    def __init__(self, detail: str = "", *, code: str | Code = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self._line = code if isinstance(code, Code) else None
        if code:
            self.code = code.code if isinstance(code, Code) else code

    def problem(self) -> Problem:
        """This error as a problem; ``request_id`` is the reader's to fill."""
        line = self._line or CATALOGUE[self.code]
        title_zh, remedy_zh = CHINESE.get(self.code, (line.title_zh, line.remedy_zh))
        return Problem(
            type=f"urn:claw:problem:{self.code}",
            title=line.title,
            status=int(line.status),
            detail=self.detail or line.remedy,
            code=self.code,
            remedy=line.remedy,
            title_zh=title_zh,
            remedy_zh=remedy_zh,
        )


class ConfigurationError(ClawError):
    """A setting or the installation is wrong: the operator must act. The message names the variable and the remedy."""


class Refused(ClawError):
    """The caller must change something; repeating it is never helps."""

    def __init__(
        self,
        code: str | Code,
        detail: str = "",
        *,
        errors: tuple[FieldError, ...] = (),
        reply_id: str = "",
        retry_after_s: int = 0,
        rule: str = "",
    ) -> None:
        super().__init__(detail, code=code)
        self.errors, self.reply_id, self.retry_after_s, self.rule = errors, reply_id, retry_after_s, rule

    def problem(self) -> Problem:
        return replace(super().problem(), errors=self.errors, reply_id=self.reply_id, retry_after_s=self.retry_after_s, rule=self.rule)


class Unavailable(ClawError):
    """A part is down or busy; the same call may succeed later (after ``retry_after_s`` when that is known)."""

    def __init__(self, code: str | Code, detail: str = "", *, retry_after_s: float = 1.0) -> None:
        super().__init__(detail, code=code)
        self.retry_after_s = retry_after_s

    def problem(self) -> Problem:
        return replace(super().problem(), retry_after_s=max(1, int(self.retry_after_s + 0.999)))


class Superseded(ClawError):
    """Somebody newer owns this work (a lost lease, a higher attempt): stop, and leave the event to them."""
