"""The command line. Each command imports what it needs when it is called, so that `claw up` starts at once."""
# ruff: noqa: PLC0415

import argparse
import asyncio
import inspect
import logging
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from domain.sections import load_settings
from schemas.errors import ClawError, ConfigurationError
from schemas.settings import WORKER_GROUPS, Settings

FAILED, MISCONFIGURED = 1, 2

Command = Callable[[Settings, argparse.Namespace], Any]


def parser() -> argparse.ArgumentParser:
    """All commands; docs/commands.md is generated from it."""
    root = argparse.ArgumentParser(prog="claw", description="A knowledge-grounded chat backend whose system of record is a log.")
    commands = root.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add(commands, "up", _up, "Run the whole stack on this machine: Kafka, Redis, every lane and the API. Ctrl-C stops it.")
    _add(commands, "down", _down, "Stop the stack of CLAW_HOME, wherever it was started.")
    _add(commands, "doctor", _doctor, "Say what is missing or unhealthy on this machine, and what to do about it.")
    topics = _add(commands, "topics", _topics, "Create, correct or compare the topics of this installation.")
    topics.add_argument(
        "action",
        choices=("apply", "check"),
        help="apply creates what is missing and corrects configurations; check changes nothing and exits 1 on a difference",
    )
    _add(commands, "api", _api, "Serve the HTTP API.")
    worker = _add(commands, "worker", _worker, "Run one lane: the agents that wait for the same thing.")
    worker.add_argument("--lane", choices=WORKER_GROUPS, required=True, help="which agents to run")
    _add(commands, "demo", _demo, "Start a stack of its own, load documents, ask three questions, stop.")
    key = commands.add_parser("key", help="API keys.", description="API keys.")
    create = _add(key.add_subparsers(title="commands", metavar="COMMAND", required=True), "create", _key_create, "Create an API key.")
    create.add_argument("--tenant", required=True, help="whom the key belongs to")
    _admin_commands(commands)
    evaluations = commands.add_parser("eval", help="Hold it against material whose right outcome is known.", description="Evaluations.")
    kinds = evaluations.add_subparsers(title="commands", metavar="COMMAND", required=True)
    documents = _add(kinds, "documents", _eval_documents, "Parse every file of a folder; exit 1 when one does not come out as it should.")
    documents.add_argument(
        "folder", metavar="DIR", help="with manifest.jsonl and files, or just files: then a named error or text is right"
    )
    documents.add_argument("--json", action="store_true", help="print JSON instead of a table")
    about = "Ask the questions of every set, through a stack of its own:"
    retrieval = _add(kinds, "retrieval", _eval_retrieval, f"{about} whether the right passage is found first, and which leg found it.")
    answers = _add(kinds, "answers", _eval_answers, f"{about} whether answers cite what answers, and what nothing answers is refused.")
    for command in (retrieval, answers):
        command.add_argument("folder", metavar="DIR", help="one set (corpus.jsonl, questions.jsonl), or a folder of sets")
        command.add_argument("--set", default="", metavar="NAME", help="only this one")
        command.add_argument("--limit", type=int, default=0, metavar="N", help="only the first N questions (default: all)")
        command.add_argument("--json", action="store_true", help="print JSON instead of a table")
    _inbox_commands(commands)
    _redrive_command(commands)
    _rebuild_commands(commands)
    _usage_commands(commands)
    _replay_command(commands)
    reference = _add(commands, "reference", _reference, "Write the pages under docs/ that are generated from the code.", aliases=("docs",))
    reference.add_argument("--check", action="store_true", help="write nothing; exit 1 when a page is stale")
    return root


def _admin_commands(commands: Any) -> None:
    admin = commands.add_parser("admin", help="Administrators.", description="Administrators.")
    about = "Make an administrator: an account that may change rate rules, see usage and caches, and handle dead letters."
    create = _add(admin.add_subparsers(title="commands", metavar="COMMAND", required=True), "create", _admin_create, about)
    create.add_argument("email", metavar="EMAIL", help="address to log in with")
    create.add_argument("--tenant", default="", help="whom the account belongs to (default: a tenant of its own)")
    create.add_argument("--name", default="", help="name of the person")
    create.add_argument("--password-stdin", action="store_true", help="read the password from the first line of standard input, unasked")
    create.add_argument("--promote", action="store_true", help="make an administrator of the account that has this address")


def _inbox_commands(commands: Any) -> None:
    inbox = commands.add_parser("inbox", help="Inboxes of upstream systems.", description="Inboxes of upstream systems.")
    inboxes = inbox.add_subparsers(title="commands", metavar="COMMAND", required=True)
    about = "Make the inbox of a tenant; print the ACL commands and the client settings of its producer."
    made = _add(inboxes, "create", _inbox_create, about)
    made.add_argument("tenant", metavar="TENANT", help="whose documents they will be")
    made.add_argument("--principal", default="User:upstream", help="who will write into it, as the broker names it")
    _add(inboxes, "list", _inbox_list, "List the inboxes, and whether workers read them.")
    _add(inboxes, "schema", _inbox_schema, "Print the JSON Schema of an inbox event.")


def _redrive_command(commands: Any) -> None:
    redrive = _add(commands, "redrive", _redrive, "Send dead letters again: one by its id, or all that match, oldest first.")
    redrive.add_argument("--id", default="", help="one letter: partition-offset")
    redrive.add_argument("--code", help="only those with this error code")
    redrive.add_argument("--topic", help="only those from this topic")
    redrive.add_argument("--agent", help="only those of this agent")
    redrive.add_argument("--since", default="", help="only those buried within this span, such as 90s, 30m, 2h, 7d")
    redrive.add_argument("--limit", type=int, default=1_000, help="send at most so many")
    redrive.add_argument("--dry-run", action="store_true", help="only say what would happen")
    redrive.add_argument("--force", action="store_true", help="also send what is superseded or was sent before")


def _rebuild_commands(commands: Any) -> None:
    about = "Make again from the log what was made of it: an index, beside the one in use, or tables."
    reindex = commands.add_parser("rebuild", help=about, description=about)
    kinds = reindex.add_subparsers(title="commands", metavar="COMMAND", required=True)
    index = _add(kinds, "index", _rebuild_index, "Build a knowledge base's index anew from the log while the old one serves, then switch.")
    back = _add(kinds, "back", _rebuild_back, "Show the kept index again.")
    drop = _add(kinds, "drop", _rebuild_drop, "Give up what is being built, or let the kept index go.")
    status = _add(kinds, "status", _rebuild_status, "Say which indexes there are and how far a rebuild has come.")
    for command in (index, back, drop, status):
        command.add_argument("--tenant", default="default", help="whose knowledge base it is (default: default)")
    for command in (back, drop):
        command.add_argument("--kb", required=True, help="id of the knowledge base")
    for command in (index, status):
        which = command.add_mutually_exclusive_group(required=True)
        which.add_argument("--kb", help="id of the knowledge base")
        which.add_argument("--all", action="store_true", help="every knowledge base of the tenant, one after the other")
    size = "of a chunk, in tokens (default: as the settings say)"
    index.add_argument("--chunk-tokens", type=int, choices=range(32, 2049), metavar="N", default=0, help=f"target size {size}")
    index.add_argument("--chunk-tokens-max", type=int, choices=range(64, 4097), metavar="N", default=0, help=f"largest size {size}")
    index.add_argument("--embedding", choices=("local", "openai", "zhipu"), default="", help="default: as the settings say")
    index.add_argument("--keep", action="store_true", help="keep the old index, to go `back` until it is dropped")
    index.add_argument("--force", action="store_true", help="switch although documents are missing")
    index.add_argument("--timeout", type=float, default=3600.0, metavar="S", help="follow it so long (default: 3600); the workers go on")

    rebuild_tables = _add(
        kinds, "tables", _rebuild_tables, "Make record tables and counters anew from their topics while the stack serves."
    )
    some = rebuild_tables.add_mutually_exclusive_group(required=True)
    some.add_argument("--all", action="store_true", help="every table")
    some.add_argument("--table", action="append", metavar="NAME", default=[], help="this one; may be given several times")


def _usage_commands(commands: Any) -> None:
    usage = commands.add_parser("usage", help="What was spent.", description="What was spent.")
    about = "Count usage again from its topic and compare with the counters; exit 1 when a sum differs."
    reconcile = _add(usage.add_subparsers(title="commands", metavar="COMMAND", required=True), "reconcile", _usage_reconcile, about)
    reconcile.add_argument("--since", default="", help="only what began within this span, such as 90m, 2h, 7d")
    reconcile.add_argument("--repair", action="store_true", help="on a difference make the counters anew from the topic")


def _replay_command(commands: Any) -> None:
    replay = _add(commands, "replay", _replay, "Ask another model what a recorded answer was made from; print both. Nothing is written.")
    replay.add_argument("reply", metavar="REPLY", help="id of the reply")
    replay.add_argument("--tenant", default="", help="whose it is, when the id alone is not enough to find it")
    replay.add_argument("--model", default="", help="name of the model; by default the provider's, or the one of the settings")
    replay.add_argument("--provider", choices=("local", "openai", "zhipu"), default="", help="default: the one of the settings")
    replay.add_argument("--base-url", default="", help="root of its API; default: the settings' for the same provider, else the preset's")
    replay.add_argument("--json", action="store_true", help="print JSON instead of two columns")


def _add(commands: Any, name: str, run: Command, description: str, aliases: Sequence[str] = ()) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=description, description=description, aliases=aliases)
    command.set_defaults(run=run)
    return command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code: 1 = it failed, 2 = a setting or the installation is wrong."""
    chosen = parser().parse_args(arguments)
    try:
        result = chosen.run(load_settings(os.environ), chosen)
        return int(asyncio.run(result) if inspect.iscoroutine(result) else result or 0)
    except ClawError as error:
        print(f"claw: {error.detail or error.code}", file=sys.stderr)
        return MISCONFIGURED if isinstance(error, ConfigurationError) else FAILED
    except KeyboardInterrupt:
        return 130


def _up(settings: Settings, _chosen: argparse.Namespace) -> int:
    from ops.processes import logs
    from ops.stack import command

    logs.configure(settings.node, "stack")
    _quiet_driver()
    code = command.up(settings, os.environ)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # everything is stopped; a download still under way in a thread must not hold the exit


def _quiet_driver() -> None:
    """The Kafka client logs every failed connection before it raises; these commands say once, in their own words, what is wrong."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


def _down(settings: Settings, _chosen: argparse.Namespace) -> int:
    from ops.stack import command

    return command.down(settings.node.home.absolute())


def _doctor(settings: Settings, _chosen: argparse.Namespace) -> int:
    from ops.commands import doctor

    _quiet_driver()
    return doctor.run(settings, os.environ)


def _topics(settings: Settings, chosen: argparse.Namespace) -> int:
    from ops.commands import topics

    _quiet_driver()
    return topics.run(settings, chosen.action)


def _api(settings: Settings, _chosen: argparse.Namespace) -> int:
    from ops.processes import api
    from ops.stack.environment import with_secret

    return api.run(with_secret(settings, os.environ, create=False))


def _worker(settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.processes import worker

    return worker.run(settings, chosen.lane)


def _demo(settings: Settings, _chosen: argparse.Namespace) -> Any:
    from ops.commands import demo

    return demo.run(settings)


def _key_create(settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.commands import keys

    return keys.create(settings, chosen.tenant)


def _admin_create(settings: Settings, chosen: argparse.Namespace) -> int:
    from ops.commands import admins

    _quiet_driver()
    return admins.create(
        settings,
        chosen.email,
        tenant=chosen.tenant,
        name=chosen.name,
        password_stdin=chosen.password_stdin,
        promote=chosen.promote,
    )


def _eval_documents(settings: Settings, chosen: argparse.Namespace) -> int:
    from ops.evaluation import documents

    return documents.run(settings, chosen.folder, as_json=chosen.json)


def _eval_retrieval(settings: Settings, chosen: argparse.Namespace) -> int:
    from ops.evaluation import retrieval

    return retrieval.run(settings, chosen.folder, name=chosen.set, limit=max(0, chosen.limit), as_json=chosen.json)


def _eval_answers(settings: Settings, chosen: argparse.Namespace) -> int:
    from ops.evaluation import answers

    return answers.run(settings, chosen.folder, name=chosen.set, limit=max(0, chosen.limit), as_json=chosen.json)


def _inbox_create(settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.commands import inbox

    _quiet_driver()
    return inbox.create(settings, chosen.tenant, chosen.principal)


def _inbox_list(settings: Settings, _chosen: argparse.Namespace) -> Any:
    from ops.commands import inbox

    _quiet_driver()
    return inbox.list_inboxes(settings)


def _inbox_schema(_settings: Settings, _chosen: argparse.Namespace) -> int:
    from ops.commands import inbox

    return inbox.print_schema()


def _redrive(settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.commands import redrive
    from streams.dead_letters.reader import DeadLetterFilter

    _quiet_driver()
    return redrive.run(
        settings,
        DeadLetterFilter(topic=chosen.topic, code=chosen.code, agent=chosen.agent),
        letter_id=chosen.id,
        since_s=redrive.seconds_of(chosen.since) if chosen.since else 0,
        limit=max(1, chosen.limit),
        dry=chosen.dry_run,
        force=chosen.force,
    )


def _rebuild_index(settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.commands import reindex
    from schemas.documents import Shelf

    _quiet_driver()
    shelf = Shelf(chunk_tokens=chosen.chunk_tokens, chunk_tokens_max=chosen.chunk_tokens_max, embedding=chosen.embedding)
    return reindex.index(settings, chosen.tenant, chosen.kb, shelf, keep=chosen.keep, force=chosen.force, timeout_s=chosen.timeout)


def _rebuild_back(settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.commands import reindex

    _quiet_driver()
    return reindex.back(settings, chosen.tenant, chosen.kb)


def _rebuild_drop(settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.commands import reindex

    _quiet_driver()
    return reindex.drop(settings, chosen.tenant, chosen.kb)


def _rebuild_status(settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.commands import reindex

    _quiet_driver()
    return reindex.status(settings, chosen.tenant, chosen.kb)


def _rebuild_tables(settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.commands import rebuild_tables

    _quiet_driver()
    return rebuild_tables.run(settings, () if chosen.all else tuple(dict.fromkeys(chosen.table)))


def _usage_reconcile(settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.commands import usage

    _quiet_driver()
    return usage.reconcile(settings, since=chosen.since, repair=chosen.repair)


def _replay(settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.commands import replay

    _quiet_driver()
    other = replay.other_model(settings.model, name=chosen.model, provider=chosen.provider, base_url=chosen.base_url)
    return replay.run(settings, chosen.reply, other, tenant=chosen.tenant, as_json=chosen.json)


def _reference(_settings: Settings, chosen: argparse.Namespace) -> int:
    from ops.commands import reference

    return reference.run(chosen.check)


if __name__ == "__main__":
    sys.exit(main())
