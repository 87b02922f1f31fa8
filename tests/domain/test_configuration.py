"""What a record on the topic changes in a running process: log level, rates, caps, cache times, the weight of meaning."""

import logging
from collections.abc import Iterator

import pytest
import structlog

from adapters.index.fusion import RankedQuestion
from domain.configs.log_level import QUIET, follow_log_level, set_log_level
from domain.limits.live_rules import live_rules
from domain.retrieval.search import weight_dense
from schemas.limits import Rule
from schemas.settings import CacheSettings, CapSettings, NodeSettings, QuotaSettings, RetrievalSettings
from streams.cache import RedisCache
from streams.clock import SystemClock
from tests.support.configured_process import ConfiguredProcess


@pytest.fixture
def process() -> ConfiguredProcess:
    return ConfiguredProcess()


@pytest.fixture
def _logging() -> Iterator[None]:
    """Restores what the test changes for the whole process."""
    root, before = logging.getLogger(), structlog.get_config()
    level, quiet = root.level, {name: logging.getLogger(name).level for name in QUIET}
    yield
    structlog.configure(**before)
    root.setLevel(level)
    for name, each in quiet.items():
        logging.getLogger(name).setLevel(each)


@pytest.mark.usefixtures("_logging")
def test_the_log_level_changes_for_loggers_that_exist(process: ConfiguredProcess, capsys: pytest.CaptureFixture[str]) -> None:
    log = structlog.get_logger("made before")
    set_log_level("info")
    follow_log_level(process.live.of(NodeSettings))
    log.debug("first")
    process.read("node.log_level", "debug", 1)
    log.debug("second")
    assert logging.getLogger().level == logging.DEBUG
    assert logging.getLogger("aiokafka").level == logging.WARNING  # at debug it would write whole records
    process.read("node.log_level", "error", 2)
    log.warning("third")
    out = capsys.readouterr().out
    assert [word for word in ("first", "second", "third") if word in out] == ["second"]


def test_the_rates_of_a_tier_change_until_an_operator_sets_rules(process: ConfiguredProcess) -> None:
    rules = live_rules(process.live)

    def rate(name: str) -> int:
        return next((rule.rate for rule in rules.value if rule.name == name), 0)

    assert rate("user_free") == 100
    process.read("limit.user_free_per_minute", 7, 1)
    assert rate("user_free") == 7
    own = {"rules": [{"name": "own", "rate": 3, "per_s": 60.0, "burst": 3, "scope": "user"}]}
    process.read("rate_limits.rules", own, 1)
    process.read("limit.user_free_per_minute", 8, 2)
    assert rules.value == (Rule(name="own", rate=3, per_s=60.0, burst=3, scope="user"),)
    process.read("rate_limits.rules", None, 2)
    assert rate("user_free") == 8


def test_caps_quotas_and_cache_times_are_those_of_the_topic(process: ConfiguredProcess) -> None:
    cache = RedisCache(None, "p", process.live.of(CacheSettings), SystemClock())  # type: ignore[arg-type]
    kept, short = cache.of("retrieval", str), cache.of("retrieval", str, ttl_s=20)
    caps, quotas = process.live.of(CapSettings), process.live.of(QuotaSettings)
    process.read("cache.retrieval_s", 10, 1)
    process.read("cap.pro_documents_max", 5, 1)
    process.read("quota.pro_tokens_per_day", 6, 1)
    assert (kept.life_s, short.life_s) == (10, 10)
    assert caps.value.of_account("pro", "documents") == 5
    assert quotas.value.of("pro") == {("tokens", "day"): 6}
    process.read("cache.retrieval_s", None, 2)
    assert (kept.life_s, short.life_s) == (600, 20)


def test_the_weight_of_meaning_changes_the_ranking_and_nothing_else(process: ConfiguredProcess) -> None:
    retrieval, question = process.live.of(RetrievalSettings), RankedQuestion(frozenset({"leave"}), "en")
    assert weight_dense(question, retrieval.value.meaning_weight) == question
    process.read("retrieval.meaning_weight", 0, 1)
    changed = weight_dense(question, retrieval.value.meaning_weight)
    assert (changed.dense_weight.at(0.0), changed.terms, changed.language) == (0.0, question.terms, "en")
