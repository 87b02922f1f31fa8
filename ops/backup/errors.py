"""What makes a backup unusable."""

from schemas.errors import ClawError


class BackupDamaged(ClawError):
    """A backup that is incomplete, was changed, or is of a release that writes another format. The message says what and where."""
