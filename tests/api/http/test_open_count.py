"""What is open in a process, and by account."""

import pytest
from prometheus_client import CollectorRegistry, Gauge

from api.http.open_count import AccountCount, OpenCount
from schemas.errors import Unavailable


def test_no_more_than_there_may_be():
    registry = CollectorRegistry()
    streams = OpenCount(Gauge("streams", "Open.", registry=registry), 1, "event streams")
    streams.check_capacity()
    with streams.enter():
        assert (streams.count, registry.get_sample_value("streams")) == (1, 1.0)
        with pytest.raises(Unavailable, match="all event streams"):
            streams.check_capacity()
    assert (streams.count, registry.get_sample_value("streams")) == (0, 0.0)


def test_accounts_with_none_take_no_memory():
    uploads = AccountCount()
    uploads.add("ada")
    uploads.add("ada")
    uploads.add("bob")
    assert (uploads["ada"], uploads["eve"], uploads.total) == (2, 0, 3)
    for account in ("ada", "bob", "ada"):
        uploads.remove(account)
    assert (uploads.total, dict(uploads._by_account)) == (0, {})
