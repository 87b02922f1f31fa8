"""The error catalogue and the exceptions that carry it.

Exceptions are split by what the caller does next: a ``Refused`` is the caller's to mend and is never retried, an ``Unavailable`` passes by
itself and is retried with back-off, a ``ConfigurationError`` is the operator's. Codes are stable: released ones are never renamed.
"""

from http import HTTPStatus

from msgspec import Struct
from msgspec.structs import replace

from schemas.errors_zh import CHINESE


class FieldError(Struct, frozen=True):
    """One bad field: ``field`` is a path such as ``data.title``, ``limit`` the accepted values."""

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
    remedy: str = ""  # what the caller or the operator should do
    title_zh: str = ""
    remedy_zh: str = ""


class Code(Struct, frozen=True):
    """A catalogue line: HTTP status, title, and what the caller should do. One that an area declares carries its Chinese and its code.

    ``is_lasting``: the same request would fail again, possibly at the same price, whatever its status says.
    """

    status: HTTPStatus
    title: str
    remedy: str
    title_zh: str = ""
    remedy_zh: str = ""
    code: str = ""
    is_lasting: bool = False


TABLES_LOST = "tables_lost"
REDIS_OUTAGES = ("redis_unavailable", TABLES_LOST)  # codes of a Redis that is away, or as good as away

CATALOGUE: dict[str, Code] = {
    # the request
    "invalid_request": Code(HTTPStatus.BAD_REQUEST, "The request cannot be parsed", "Send well-formed UTF-8 JSON."),
    "validation_failed": Code(HTTPStatus.UNPROCESSABLE_ENTITY, "A field has an invalid value", "Correct the fields listed in errors."),
    "body_too_large": Code(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The request body is too large", "Send a smaller body, or split the request."
    ),
    "request_too_slow": Code(
        HTTPStatus.REQUEST_TIMEOUT, "The request arrived too slowly", "Send the request again over a faster connection, or send less."
    ),
    "head_too_large": Code(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The head of the request is too large", "Send fewer or shorter headers."
    ),
    "too_many_connections": Code(
        HTTPStatus.TOO_MANY_REQUESTS,
        "Your address has too many connections open",
        "Close connections that are not in use, and reuse the others.",
    ),
    "host_refused": Code(
        HTTPStatus.MISDIRECTED_REQUEST,
        "This API is not called by this name",
        "Use the API's own host name, or ask the operator to list this one in CLAW_HTTP_HOSTS.",
    ),
    "unsupported_parameter": Code(
        HTTPStatus.BAD_REQUEST, "This parameter is not supported", "Remove the parameter; docs/openai.md lists the supported ones."
    ),
    "unsupported_media_type": Code(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "This content type is not supported", "Use the content type that detail names."
    ),
    "credential_in_url": Code(
        HTTPStatus.BAD_REQUEST,
        "The URL contains a credential",
        "Send the credential in the first frame or as a subprotocol, and replace the exposed one.",
    ),
    "not_found": Code(HTTPStatus.NOT_FOUND, "Not found", "Check the id, and that it belongs to your account."),
    "model_not_found": Code(HTTPStatus.NOT_FOUND, "Model not found", "Use a model that GET /v1/models lists."),
    "method_not_allowed": Code(
        HTTPStatus.METHOD_NOT_ALLOWED, "This HTTP method is not supported here", "See /schema for the methods of each route."
    ),
    "idempotency_conflict": Code(
        HTTPStatus.CONFLICT, "This Idempotency-Key was used with a different request body", "Use a new key for a new request."
    ),
    "deleted_since": Code(
        HTTPStatus.GONE,
        "What this Idempotency-Key created was deleted since",
        "Use a new Idempotency-Key to create another one.",
    ),
    "lost_update": Code(
        HTTPStatus.PRECONDITION_FAILED, "The record changed since you read it", "Read the record again, then retry with its new ETag."
    ),
    # who
    "unauthenticated": Code(HTTPStatus.UNAUTHORIZED, "No valid credential", "Log in, or send an API key as a bearer token."),
    "login_failed": Code(HTTPStatus.UNAUTHORIZED, "Wrong e-mail address or password", "Check the e-mail address and the password."),
    "forbidden": Code(
        HTTPStatus.FORBIDDEN, "This credential lacks the required permission", "Use a credential that has the required scope or role."
    ),
    "access_denied": Code(
        HTTPStatus.FORBIDDEN, "Access is blocked by the deny list", "Ask the operator to remove the entry from the deny list."
    ),
    "email_taken": Code(HTTPStatus.CONFLICT, "This e-mail address is already registered", "Log in instead."),
    "password_weak": Code(
        HTTPStatus.BAD_REQUEST, "The password is easy to guess", "Choose several words that do not belong together, without your name."
    ),
    "rate_limited": Code(HTTPStatus.TOO_MANY_REQUESTS, "Too many requests", "Wait for Retry-After seconds."),
    "quota_exceeded": Code(
        HTTPStatus.TOO_MANY_REQUESTS,
        "The quota is used up",
        "Wait for Retry-After seconds, or ask the operator to raise the quota that rule names.",
    ),
    "budget_spent": Code(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The installation's budget for models is spent",
        "Wait for Retry-After seconds, or ask the operator to raise the budget that rule names (CLAW_BUDGET_*).",
    ),
    "registration_closed": Code(HTTPStatus.FORBIDDEN, "Registration is closed", "Ask the operator for an account."),
    "invitation_required": Code(HTTPStatus.FORBIDDEN, "Registration needs an invitation", "Send the invitation that you were given."),
    "invitation_invalid": Code(
        HTTPStatus.FORBIDDEN, "The invitation is unknown, used or expired", "Ask who invited you for another invitation."
    ),
    "oidc_refused": Code(HTTPStatus.UNAUTHORIZED, "The login at the identity provider is not valid", "Begin the login again."),
    "oidc_unavailable": Code(
        HTTPStatus.SERVICE_UNAVAILABLE, "The identity provider cannot be reached", "Try again later; other logins and sessions work."
    ),
    "link_invalid": Code(
        HTTPStatus.FORBIDDEN, "The link is not valid, was used or has expired", "Request a new link, and use the newest one you received."
    ),
    # what an account or a tenant may hold
    "too_many_streams": Code(
        HTTPStatus.TOO_MANY_REQUESTS, "Too many event streams are open", "Close a stream, or ask the operator to raise the cap in detail."
    ),
    "too_many_sockets": Code(
        HTTPStatus.TOO_MANY_REQUESTS,
        "Too many WebSocket connections are open",
        "Close a connection, or ask the operator to raise the cap in detail.",
    ),
    "too_many_uploads": Code(
        HTTPStatus.TOO_MANY_REQUESTS,
        "Too many uploads are in progress",
        "Wait until an upload has ended, or ask the operator to raise the cap in detail.",
    ),
    "conversations_full": Code(
        HTTPStatus.CONFLICT,
        "There is no room for another conversation",
        "Delete a conversation, or ask the operator to raise the cap in detail.",
    ),
    "knowledge_bases_full": Code(
        HTTPStatus.CONFLICT,
        "There is no room for another knowledge base",
        "Delete a knowledge base, or ask the operator to raise the cap in detail.",
    ),
    "documents_full": Code(
        HTTPStatus.CONFLICT, "There is no room for another document", "Delete documents, or ask the operator to raise the cap in detail."
    ),
    "storage_full": Code(
        HTTPStatus.CONFLICT,
        "There is no room for the bytes of this document",
        "Delete documents, or ask the operator to raise the cap in detail.",
    ),
    "idempotency_full": Code(
        HTTPStatus.TOO_MANY_REQUESTS,
        "Too much is kept behind Idempotency-Keys",
        "Send the request without an Idempotency-Key, or later: what is kept expires after a day.",
    ),
    # conversations
    "conversation_busy": Code(
        HTTPStatus.CONFLICT, "A reply is still in progress in this conversation", "Wait until the reply in reply_id ends, or cancel it."
    ),
    "warmup_running": Code(
        HTTPStatus.CONFLICT,
        "A warm-up of this organisation is running",
        "Wait until it has ended: GET /cache/warmup/{id} shows its progress.",
    ),
    "reply_finished": Code(HTTPStatus.CONFLICT, "This reply has already ended", "No action is needed: an ended reply cannot be cancelled."),
    "reply_expired": Code(HTTPStatus.GONE, "The events of this reply are past their retention", "Read the stored message instead."),
    "answer_failed": Code(HTTPStatus.BAD_GATEWAY, "The answer could not be generated", "Ask again."),
    "model_unavailable": Code(HTTPStatus.BAD_GATEWAY, "The model provider did not respond", "Ask again later."),
    "model_refused": Code(
        HTTPStatus.BAD_GATEWAY, "The model provider refused the request", "The operator must check the settings of the provider."
    ),
    "model_rate_limited": Code(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The model provider's rate limit is reached",
        "Ask again after Retry-After seconds; the operator can lower CLAW_MODEL_PERMITS, or ask the provider for a higher limit.",
    ),
    "model_overloaded": Code(HTTPStatus.SERVICE_UNAVAILABLE, "The model provider is overloaded", "Ask again after Retry-After seconds."),
    "model_quota_exhausted": Code(
        HTTPStatus.BAD_GATEWAY,
        "The quota of the account at the model provider is exhausted",
        "Ask again after the time that detail names; the operator can renew or upgrade the plan, or configure CLAW_MODEL_SECOND_.",
        is_lasting=True,
    ),
    "model_account_arrears": Code(
        HTTPStatus.BAD_GATEWAY,
        "The account at the model provider is out of credit",
        "The operator must top up the account.",
        is_lasting=True,
    ),
    "model_account_blocked": Code(
        HTTPStatus.BAD_GATEWAY,
        "The account at the model provider is inactive or locked",
        "The operator must have the provider unlock the account.",
        is_lasting=True,
    ),
    "model_unauthorized": Code(
        HTTPStatus.BAD_GATEWAY,
        "The model provider rejected the API key",
        "The operator must set a valid key in CLAW_MODEL_API_KEY.",
        is_lasting=True,
    ),
    "model_access_denied": Code(
        HTTPStatus.BAD_GATEWAY,
        "The account may not use this model or interface of the provider",
        "The operator must choose another model in CLAW_MODEL_NAME, or have the provider enable this one.",
        is_lasting=True,
    ),
    "model_unknown": Code(
        HTTPStatus.BAD_GATEWAY,
        "The model provider does not know the model or the address",
        "The operator must correct CLAW_MODEL_NAME or CLAW_MODEL_BASE_URL.",
        is_lasting=True,
    ),
    "model_prompt_too_long": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The question with its passages and history is too long for the model",
        "Ask a shorter question or begin a new conversation; the operator can lower CLAW_RETRIEVAL_CONTEXT_TOKENS.",
    ),
    "model_filtered": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The model provider's content filter refused the question or its answer",
        "Rephrase the question.",
    ),
    "model_answer_empty": Code(
        HTTPStatus.BAD_GATEWAY,
        "The model returned an empty answer",
        "Raise the token limit (max_tokens; the operator CLAW_MODEL_MAX_TOKENS) or turn the model's thinking off, which"
        " counts against the limit; if the model did not think, rephrase the question.",
        is_lasting=True,
    ),
    "answer_interrupted": Code(HTTPStatus.BAD_GATEWAY, "The answer was interrupted", "Ask again; the partial text is kept."),
    "answer_attempts_exhausted": Code(
        HTTPStatus.BAD_GATEWAY,
        "The answer broke off too often",
        "Ask again later. The operator finds why in the logs of the chat worker, and can raise CLAW_MODEL_CALLS_MAX.",
    ),
    # documents
    "document_too_large": Code(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The document is too large", "Split the document."),
    "document_empty": Code(HTTPStatus.UNPROCESSABLE_ENTITY, "The document contains no text", "Send a document that contains text."),
    "document_unreadable": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY, "The document cannot be parsed", "Check that the file is intact and of the declared type."
    ),
    "document_crashed_parser": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY, "The parser crashed on this document", "Send the document in another format."
    ),
    "document_too_complex": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The document exceeds a parsing limit",
        "Split or simplify the document; the operator can raise the limit that detail names.",
    ),
    "document_type_unsupported": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "This file type is not supported",
        "Send PDF, an Office file, ODT, ODS, ODP, RTF, EPUB, HTML, Markdown, reStructuredText, Org, text, CSV, XML, EML, MSG, "
        "a picture of text, or a ZIP of these.",
    ),
    "password_required": Code(HTTPStatus.UNPROCESSABLE_ENTITY, "The file is encrypted", "Send the file again with its password."),
    "password_wrong": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY, "The password does not open the file", "Send the file again with the right password."
    ),
    "ocr_required": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The file is a scan without readable text",
        "Send a file with text, or ask the operator to install the extra `ocr`, or Tesseract with its languages.",
    ),
    "document_stalled": Code(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "Processing of the document stalled and could not be restarted",
        "Reprocess the document; if it stalls again, report it.",
    ),
    "file_missing": Code(HTTPStatus.GONE, "The file is no longer stored", "Upload the file again."),
    "upload_incomplete": Code(HTTPStatus.BAD_REQUEST, "The upload was cut off or is not a multipart form", "Send the upload again."),
    "url_refused": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "Fetching this address is not allowed",
        "Use a public http or https address that its robots.txt allows.",
    ),
    "url_unreachable": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY, "The web page could not be fetched", "Check the address, or submit it again later."
    ),
    "index_building": Code(
        HTTPStatus.CONFLICT, "Another build of this index is in progress", "Wait until the build ends, or drop it first."
    ),
    "index_incomplete": Code(
        HTTPStatus.CONFLICT,
        "The new index does not contain every document",
        "Check which documents are missing; force the switch to go on without them.",
    ),
    # events
    "event_malformed": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The event cannot be decoded",
        "Compare the event with the schema of its topic, correct it, and send it again.",
    ),
    "record_superseded": Code(
        HTTPStatus.CONFLICT,
        "A newer record of the document was read before this one",
        "Nothing, if the newer record is right; otherwise send this one again.",
    ),
    "batch_unreadable": Code(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "A batch on the topic cannot be read",
        "Let its sender send the records again; the offsets, the codec and the reason are in the dead letter.",
    ),
    "event_poisonous": Code(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "The event crashed its worker repeatedly",
        "Report it; after the fix, redrive it from the dead letters.",
    ),
    "event_failed": Code(
        HTTPStatus.INTERNAL_SERVER_ERROR, "Processing of the event failed", "Redrive it from the dead letters once the cause is fixed."
    ),
    # the parts
    "kafka_unavailable": Code(
        HTTPStatus.SERVICE_UNAVAILABLE, "Kafka did not acknowledge the write in time", "Repeat the request with the same Idempotency-Key."
    ),
    "mail_unavailable": Code(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The mail server did not take the mail",
        "It is tried again by itself; if it goes on, the operator checks CLAW_MAIL_*.",
    ),
    "mail_refused": Code(
        HTTPStatus.BAD_GATEWAY, "The mail server refused the mail for good", "Check the address; detail has the server's reply."
    ),
    "redis_unavailable": Code(HTTPStatus.SERVICE_UNAVAILABLE, "Redis is unavailable", "Repeat the request after Retry-After seconds."),
    "tables_lost": Code(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Redis has lost the tables of this installation",
        "Repeat the request after Retry-After seconds; the operator runs `claw rebuild tables --all`, unless that has started by itself.",
    ),
    "index_unavailable": Code(
        HTTPStatus.SERVICE_UNAVAILABLE, "The vector index is unavailable", "Repeat the request after Retry-After seconds."
    ),
    "blobs_unavailable": Code(
        HTTPStatus.SERVICE_UNAVAILABLE, "The file store is unavailable", "Repeat the request after Retry-After seconds."
    ),
    "overloaded": Code(HTTPStatus.SERVICE_UNAVAILABLE, "The service is overloaded", "Repeat the request after Retry-After seconds."),
    "internal_error": Code(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal error", "Report the request_id."),
}


class ClawError(Exception):
    """Base of the exceptions of this product; ``code`` is a key of CATALOGUE, or the line itself that an area declares."""

    code = "internal_error"

    def __init__(self, detail: str = "", *, code: str | Code = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self._line = code if isinstance(code, Code) else None
        if code:
            self.code = code.code if isinstance(code, Code) else code

    def __str__(self) -> str:
        """The detail, or the code: no line of a log ends with nothing."""
        return self.detail or self.code

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def problem(self) -> Problem:
        """This error as a problem, without ``request_id``: the API fills it."""
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
    """The caller must change something; an unchanged repeat never succeeds."""

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
    """The work has a newer owner (a lost lease, a higher attempt): stop, and leave the event to that owner."""
