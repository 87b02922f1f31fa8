"""A process opens while Kafka and Redis are down, says so, and closes."""

import httpx

from schemas.settings import AuthSettings, KafkaSettings, NodeSettings, RedisSettings, Settings
from schemas.settings.section import Secret
from tests.support.api_process import opened
from tests.support.api_redis import free_port


async def test_opens_without_kafka_and_redis(tmp_path):
    settings = Settings(
        node=NodeSettings(home=tmp_path, port=0),
        kafka=KafkaSettings(bootstrap=f"127.0.0.1:{free_port()}"),
        redis=RedisSettings(url=f"redis://127.0.0.1:{free_port()}"),
        auth=AuthSettings(secret=Secret("test-" * 8)),
    )
    async with opened(settings) as house:
        assert (await house.client.get("/livez")).status_code == httpx.codes.OK
        ready = await house.client.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (httpx.codes.SERVICE_UNAVAILABLE, "down")
