"""``claw erasure``: the checker of erasures, their public key, and the verification of certificates."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from adapters.blobs import BlobStore
from adapters.secrets.certificates import CertificateSigner
from domain.eraser.certificate import ErasureCertificate, verify_certificate
from domain.eraser.eraser import Check, Eraser
from domain.eraser.index_place import AskedIndex
from domain.eraser.terms import ErasureTerms, TermCipher
from domain.erasures.topics import ERASURES_CHANGED
from domain.indexes.catalogue import CollectionCatalogue
from domain.read_models import ReadModels
from domain.retrieval.index_client import IndexClient
from ops.commands.connections import open_connections
from schemas import ids
from schemas.erasures import Erasure, ErasureChanged, PlaceResult
from schemas.errors import ConfigurationError
from schemas.settings import Settings
from streams.clock import SystemClock
from streams.log.reader import open_log_reader
from streams.tables.rebuild import Events, replay
from streams.tables.record_writer import RecordWriter

CERTIFICATE_BYTES_MAX = 4 * 1_048_576


def print_key(settings: Settings) -> int:
    """Print the public key of certificates."""
    print(CertificateSigner(settings.auth).public_key.public_key)
    return 0


def verify(path: Path, public_key: str) -> int:
    """Verify a certificate, or the JSON of an erasure that has one, and print what it says; 1 when its signature does not hold."""
    try:
        data = path.read_bytes()[:CERTIFICATE_BYTES_MAX]
        raw = msgspec.json.decode(data)
        data = msgspec.json.encode(raw["certificate"]) if isinstance(raw, dict) and raw.get("certificate") else data
        signature = msgspec.json.decode(data, type=ErasureCertificate).signature
        statement = verify_certificate(data, public_key)
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is no certificate: {error}") from error
    if statement is None:
        print("NOT VALID: the signature does not hold")
        return 1
    subject = f"account {statement.account_id}" if statement.account_id else f"organisation {statement.tenant}"
    print(f"valid: {subject}, {statement.state}, checked at {statement.checked_at.isoformat()}, {len(statement.places)} places")
    if statement.final_by is not None:
        print(f"what is left expires until {statement.final_by.isoformat()}")
    if not public_key:
        print(f"signed by {signature.public_key}: compare it with the installation's (claw erasure key), or give it with --key")
    return 0


async def check(settings: Settings, *, account: str, tenant: str, terms: Sequence[str], as_json: bool) -> int:
    """Read everything for what is left of an account, or of a tenant; 1 when something is left, or a place could not be read."""
    async with _open_eraser(settings) as (eraser, tables):
        erasure = await _find_erasure(settings, tables, account, tenant)
        erasure = msgspec.structs.replace(erasure, knowledge_base_ids=await eraser.find_bases(erasure))
        found = await eraser.check(erasure, terms)
    if as_json:
        print(msgspec.json.encode({"places": found.places, "leftovers": [[each.place, each.where] for each in found.leftovers]}).decode())
    else:
        _print_check(found)
    return 1 if any(each.left or each.unchecked for each in found.places) else 0


@asynccontextmanager
async def _open_eraser(settings: Settings) -> AsyncIterator[tuple[Eraser, ReadModels]]:
    """An eraser beside the running installation."""
    clock, prefix = SystemClock(), settings.redis.key_prefix
    async with AsyncExitStack() as stack:
        redis, publisher = await stack.enter_async_context(open_connections(settings, lost_too=True))
        tables, blobs = ReadModels(redis, prefix), BlobStore(settings)
        catalogue, client = CollectionCatalogue(settings.kafka), IndexClient(settings.kafka, publisher, clock)
        for part in (blobs, catalogue, client):
            stack.push_async_callback(part.stop)
            await part.start()
        records = RecordWriter(redis, prefix, publisher, tables, clock)
        yield Eraser(settings, redis, publisher, tables, records, blobs, AskedIndex(client, catalogue), clock), tables


async def _find_erasure(settings: Settings, tables: ReadModels, account_id: str, tenant: str) -> Erasure:
    """The newest erasure of the account or tenant; of one that was never erased what an erasure would look for."""
    found = list[Erasure]()

    async def fold(events: Events) -> None:
        found.extend(
            event.data for event, _ in events if isinstance(event, ErasureChanged) and event.data.subject == (account_id or tenant)
        )

    async with open_log_reader(settings.kafka) as reader:
        await replay(reader, ERASURES_CHANGED, fold)
    if found:
        return max(found, key=lambda each: (each.created_at, each.revision))
    if not account_id:
        return Erasure(id=ids.derive("erasure check", tenant), tenant=tenant, created_at=datetime.now(UTC))
    account = await tables.accounts.get(account_id, account_id)
    if account is None and not tenant:
        raise ConfigurationError(f"--account: there is no account {account_id} and no erasure of it: name its tenant with --tenant")
    check_id = ids.derive("erasure check", account_id)
    terms = ErasureTerms(account.email, account.name) if account is not None else ErasureTerms()
    return Erasure(
        id=check_id,
        tenant=account.tenant if account is not None else tenant,
        account_id=account_id,
        created_at=datetime.now(UTC),
        sealed_terms=TermCipher(settings).seal(check_id, terms),
    )


def _print_check(found: Check) -> None:
    print(f"{'place':40} {'left':>7} {'expiring':>9} {'kept':>7} {'mentions':>9}  gone by")
    for each in found.places:
        if each.left or each.expiring or each.kept or each.mentions or each.unchecked:
            print(_describe(each))
    for leftover in found.leftovers:
        print(f"LEFT {leftover.place}: {leftover.where}")
    checked = len(found.places) - sum(bool(each.unchecked) for each in found.places)
    print(f"{checked} of {len(found.places)} places read, {sum(each.left for each in found.places)} left")


def _describe(place: PlaceResult) -> str:
    gone_by = place.gone_by.isoformat(timespec="minutes") if place.gone_by is not None else ""
    if place.unchecked:
        return f"{place.place:40} NOT READ: {place.unchecked}"
    return f"{place.place:40} {place.left:7} {place.expiring:9} {place.kept:7} {place.mentions:9}  {gone_by}"
