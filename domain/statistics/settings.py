"""Settings of the statistics of use."""

from typing import Annotated, ClassVar

from msgspec import Meta

from schemas.settings.section import Section

LOG_DAYS = 90  # retention of the topics of usage and feedback


class StatisticsSettings(Section, frozen=True, kw_only=True):
    """What is counted by day, and how long it is kept."""

    prefix: ClassVar[str] = "CLAW_STATISTICS_"

    counted: Annotated[
        bool, Meta(description="Whether usage is counted by day; false saves what `make bench BENCH=statistics` measures.")
    ] = True
    time_zone: Annotated[
        str,
        Meta(
            max_length=64,
            description="Time zone (IANA, such as `Asia/Shanghai`) in which days, weeks and months begin; empty ="
            " CLAW_RETRIEVAL_TIME_ZONE. After a change run `claw rebuild tables --table statistics`.",
        ),
    ] = ""
    retention_days: Annotated[
        int,
        Meta(ge=31, le=LOG_DAYS - 1, description="Days for which the tables are kept, at most as long as the events are on the log."),
    ] = LOG_DAYS - 1
    exact_max: Annotated[
        int,
        Meta(
            ge=100,
            le=100_000,
            description="Accounts of a day up to which active ones are counted exactly, some 100 bytes of Redis each; more are estimated"
            " from so many.",
        ),
    ] = 10_000
    feedback_reasons: Annotated[
        str,
        Meta(
            max_length=1_000,
            description="Tags of ratings that are counted, separated by commas; all others, which may be anything, count as `other`.",
        ),
    ] = "wrong_source,outdated,incomplete,incorrect,off_topic,unclear,not_found"

    @property
    def reasons(self) -> frozenset[str]:
        """The tags that are counted by name."""
        return frozenset(filter(None, (each.strip() for each in self.feedback_reasons.split(","))))
