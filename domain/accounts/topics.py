"""The topics of accounts, credentials and sessions."""

from schemas import identities, records, sessions
from schemas.settings.auth import SESSION_TTL_S_MAX
from streams.topics import Topic

ACCOUNTS_CHANGED = Topic(
    "claw.accounts.changed.v1",
    "account id",
    records.AccountChanged,
    ("api",),
    "Accounts, without credentials.",
    None,
    tombstones=True,
    readers=("project", "count_statistics_accounts"),
)
CREDENTIALS_CHANGED = Topic(
    "claw.credentials.changed.v1",
    "credential id",
    records.CredentialChanged,
    ("api",),
    "Hashes of passwords and API keys.",
    None,
    private=True,
    count="single",
    tombstones=True,
    readers=("project",),
)
INVITATIONS_CHANGED = Topic(
    "claw.invitations.changed.v1",
    "invitation id",
    records.InvitationChanged,
    ("api", "run_jobs"),
    "Hashes of invitations to register.",
    None,
    private=True,
    count="single",
    tombstones=True,
    readers=("project",),
)
ORGANISATIONS_CHANGED = Topic(
    "claw.organisations.changed.v1",
    "tenant",
    records.OrganisationChanged,
    ("api", "ops"),
    "Names of organisations.",
    None,
    count="single",
    tombstones=True,
    readers=("project",),
)
SESSIONS_CHANGED = Topic(
    "claw.sessions.changed.v1",
    "session id",
    sessions.SessionChanged,
    ("api",),
    "Sessions: logins, rotations of their refresh tokens, ends.",
    SESSION_TTL_S_MAX * 1_000,  # no session outlasts its last event by more
    compacted=True,
    private=True,
    count="single",
    tombstones=True,
    readers=("project",),
)
IDENTITIES_CHANGED = Topic(
    "claw.identities.changed.v1",
    "identity id",
    identities.IdentityChanged,
    ("api",),
    "Accounts as an identity provider knows them.",
    None,
    private=True,
    count="single",
    tombstones=True,
    readers=("project",),
)
