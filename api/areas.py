"""The areas of the API, in the order in which their ports are built: an area may use the ports of those before it."""

from api.accounts.area import AREA as ACCOUNTS
from api.area import ApiArea
from api.audit.area import AREA as AUDIT
from api.chats.area import AREA as CHATS
from api.configs.area import AREA as CONFIGS
from api.conversations.area import AREA as CONVERSATIONS
from api.documents.area import AREA as DOCUMENTS
from api.erasures.area import AREA as ERASURES
from api.http.area import AREA as HTTP
from api.knowledge.area import AREA as KNOWLEDGE
from api.limits.area import AREA as LIMITS
from api.notices.area import AREA as NOTICES
from api.openai.area import AREA as OPENAI
from api.operations.area import AREA as OPERATIONS
from api.schedules.area import AREA as SCHEDULES
from api.socket.area import AREA as SOCKET
from api.sources.area import AREA as SOURCES
from api.statistics.area import AREA as STATISTICS
from api.tasks.area import AREA as TASKS
from api.web.area import AREA as WEB
from api.widget.area import AREA as WIDGET

AREAS: tuple[ApiArea, ...] = (
    HTTP,
    LIMITS,
    CONFIGS,
    ACCOUNTS,
    KNOWLEDGE,
    CHATS,
    CONVERSATIONS,
    DOCUMENTS,
    SOURCES,
    NOTICES,
    SOCKET,
    TASKS,
    SCHEDULES,
    OPERATIONS,
    AUDIT,
    STATISTICS,
    ERASURES,
    OPENAI,
    WEB,
    WIDGET,
)
