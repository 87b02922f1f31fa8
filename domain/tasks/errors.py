"""The errors of tasks."""

from collections.abc import Mapping
from http import HTTPStatus

from schemas.errors import Code

TASK_ENDED = Code(
    HTTPStatus.CONFLICT,
    "This task has ended",
    "Read the task for its outcome; nothing is left to cancel.",
    "该任务已结束",
    "请读取该任务的结果；已没有可取消的内容。",
    code="task_ended",
)
TASK_NOT_CANCELLABLE = Code(
    HTTPStatus.CONFLICT,
    "This task cannot be cancelled",
    "Wait until it has ended; a deletion, for example, is in effect at once.",
    "该任务无法取消",
    "请等待其结束；例如删除操作会立即生效。",
    code="task_not_cancellable",
)
TASK_NOT_RETRYABLE = Code(
    HTTPStatus.CONFLICT,
    "This task cannot be retried",
    "Only tasks that failed or were cancelled, and that nothing newer has replaced, can be retried.",
    "该任务无法重试",
    "只有失败或已取消、且未被更新内容取代的任务才能重试。",
    code="task_not_retryable",
)
DOCUMENT_SUPERSEDED = Code(
    HTTPStatus.CONFLICT,
    "A newer version, or a deletion, has replaced this version of the document",
    "Read the document for its newest version.",
    "该文档版本已被更新的版本或删除操作取代",
    "请读取该文档的最新版本。",
    code="document_superseded",
)
NOTIFICATION_FAILED = Code(
    HTTPStatus.BAD_GATEWAY,
    "The notification was not delivered",
    "Check the mail server's settings, or the webhook's address and what its receiver answers; replay the webhook then.",
    "通知未能送达",
    "请检查邮件服务器的设置，或 Webhook 的地址及其接收方的响应；之后可重放该 Webhook。",
    code="notification_failed",
)

ERRORS: Mapping[str, Code] = {
    code.code: code for code in (TASK_ENDED, TASK_NOT_CANCELLABLE, TASK_NOT_RETRYABLE, DOCUMENT_SUPERSEDED, NOTIFICATION_FAILED)
}
