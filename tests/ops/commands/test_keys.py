"""Keys made by the operator: in a person's tenant they change nothing of that person."""

from domain.accounts.registration import new_account
from domain.read_models import ReadModels
from ops.commands.keys import create_key
from ops.commands.operator_records import open_operator_records, service_account
from schemas.settings import Settings
from tests.support.recorded_house import House


async def test_a_key_for_a_persons_tenant_leaves_their_private_base_alone(house: House, settings: Settings) -> None:
    async with open_operator_records(settings) as writer:
        made = new_account("00000000-0000-4000-8000-000000000001", email="ada@example.org", name="", password_hash="x", now=writer.now)
        await writer.records.change(*(writer.outgoing(t, kind, made.account.tenant, each.id, each) for t, kind, each in made.changes()))
    tenant = made.account.tenant
    assert await create_key(settings, tenant, "key")
    assert made.base is not None
    views = ReadModels(house.redis, settings.redis.key_prefix)
    assert await views.knowledge_bases.get(tenant, made.base.id) == made.base
    assert await views.accounts.get(service_account(tenant), service_account(tenant)) is not None
