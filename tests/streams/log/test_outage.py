"""An outage is a few lines, however often each of its failures is tried again."""

from structlog.testing import capture_logs

from streams.log.outage import OutageLog


class Time:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_one_line_at_the_beginning_one_now_and_then_one_at_the_end():
    clock = Time()
    outage = OutageLog("kafka_unreachable", {"lane": "chat"}, clock_s=clock)
    with capture_logs() as lines:
        outage.end()
        for tenth in range(250):
            clock.now_s = tenth / 10
            outage.report("refused", tries=tenth)
        clock.now_s = 25.0
        outage.end()
        outage.end()
    assert [(line["event"], line.get("failures")) for line in lines] == [
        ("kafka_unreachable", None),
        ("kafka_unreachable", 101),
        ("kafka_unreachable", 201),
        ("outage_over", 250),
    ]
    assert (lines[1]["lane"], lines[1]["tries"], lines[1]["lasts_s"], lines[1]["error"]) == ("chat", 100, 10.0, "refused")
    assert (lines[-1]["of"], lines[-1]["lasted_s"]) == ("kafka_unreachable", 25.0)


def test_the_next_outage_begins_with_a_line():
    clock = Time()
    outage = OutageLog("kafka_unreachable", clock_s=clock)
    with capture_logs() as lines:
        for _ in range(2):
            outage.report("refused")
            outage.end()
    assert [line["event"] for line in lines] == ["kafka_unreachable", "outage_over"] * 2
