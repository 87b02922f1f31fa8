"""The command line. Each command imports its modules when it is called, so that `claw up` starts at once."""
# ruff: noqa: PLC0415

import argparse
import asyncio
import inspect
import logging
import os
import sys
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, get_args

from domain.sections import load_settings
from schemas import model_names
from schemas.errors import ClawError, ConfigurationError
from schemas.records import AnswerMode
from schemas.settings import WORKER_GROUPS, Settings
from schemas.tasks import TASK_KINDS, TASK_STATES

FAILED, MISCONFIGURED = 1, 2

Command = Callable[[Settings, argparse.Namespace], Any]


def parser() -> argparse.ArgumentParser:
    """All commands; docs/commands.md is generated from it."""
    root = argparse.ArgumentParser(prog="claw", description="A knowledge-grounded chat backend whose system of record is a log.")
    commands = root.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add(commands, "up", _up, "Run the whole stack on this machine: Kafka, Redis, a worker of every group and the API. Ctrl-C stops it.")
    _add(commands, "down", _down, "Stop the running stack of CLAW_HOME.")
    _add(commands, "doctor", _doctor, "Check this machine and the running stack; print each problem with its remedy.")
    topics = _add(commands, "topics", _topics, "Create the topics of this installation, or compare them with their definitions.")
    topics.add_argument(
        "action",
        choices=("apply", "check"),
        help="apply creates missing topics and corrects configurations; check changes nothing and exits 1 on a difference",
    )
    asyncapi = _add(commands, "asyncapi", _asyncapi, "Print the AsyncAPI document of this installation: topics, events, the WebSocket.")
    asyncapi.add_argument("--private", action="store_true", help="with the topics that analysts may not read")
    _add(commands, "api", _api, "Serve the HTTP API.")
    worker = _add(commands, "worker", _worker, "Run one worker group: the agents that wait for the same resource.")
    worker.add_argument("--lane", choices=WORKER_GROUPS, required=True, help="worker group to run")
    _add(commands, "demo", _demo, "Start a temporary stack, load documents, ask three questions, stop.")
    key = commands.add_parser("key", help="Manage API keys.", description="Manage API keys.")
    create = _add(key.add_subparsers(title="commands", metavar="COMMAND", required=True), "create", _key_create, "Create an API key.")
    create.add_argument("--tenant", required=True, help="tenant that the key belongs to")
    modes = get_args(AnswerMode)
    create.add_argument("--mode", choices=modes, help="mode of its questions; with grounded it refuses assistant")
    _admin_commands(commands)
    _invite_commands(commands)
    _config_commands(commands)
    evaluations = commands.add_parser(
        "eval",
        help="Run evaluations against data sets with known answers.",
        description="Run evaluations against data sets with known answers.",
    )
    kinds = evaluations.add_subparsers(title="commands", metavar="COMMAND", required=True)
    documents = _add(
        kinds, "documents", _eval_documents, "Parse every file of a folder; exit 1 when a result differs from what is expected."
    )
    documents.add_argument(
        "folder",
        metavar="DIR",
        help="folder with files; manifest.jsonl names expected results, without it text or a documented error is a pass",
    )
    documents.add_argument("--json", action="store_true", help="print JSON instead of a table")
    about = "Ask the questions of every data set through a temporary stack:"
    retrieval = _add(
        kinds, "retrieval", _eval_retrieval, f"{about} measure how often the right passage ranks first, and which retriever found it."
    )
    retrieval.add_argument("--together", action="store_true", help="all data sets in one knowledge base")
    answers = _add(
        kinds,
        "answers",
        _eval_answers,
        f"{about} measure whether answers cite the right passage, and whether unanswerable questions are declined.",
    )
    paraphrases = _add(
        kinds,
        "paraphrases",
        _eval_paraphrases,
        "Ask the project's own questions that share no word with their passages, in one language and across two.",
    )
    paraphrases.add_argument("--json", action="store_true", help="print JSON instead of a table")
    _eval_dialogues_command(kinds, about)
    for command in (retrieval, answers):
        command.add_argument("folder", metavar="DIR", help="one data set (corpus.jsonl, questions.jsonl), or a folder of data sets")
        command.add_argument("--set", default="", metavar="NAME", help="only the data set of this name")
        command.add_argument("--limit", type=int, default=0, metavar="N", help="only the first N questions (default: all)")
        command.add_argument("--json", action="store_true", help="print JSON instead of a table")
    tables = _add(
        kinds,
        "tables",
        _eval_tables,
        "Write tables in every format, ask about them through a temporary stack, and count the right answers; exit 1 below 85 percent.",
    )
    tables.add_argument("--part", choices=("dev", "held-out"), default="", help="only these tables (default: both)")
    tables.add_argument("--json", action="store_true", help="print JSON instead of text")
    _inbox_commands(commands)
    _redrive_command(commands)
    _rebuild_commands(commands)
    _data_commands(commands)
    for add in (_task_commands, _schedule_commands, _replay_command):
        add(commands)
    _faults_command(commands)
    reference = _add(
        commands,
        "reference",
        _reference,
        "Write the pages that are generated from the code (docs/settings.md, configs.md, topics.md, errors.md, commands.md, .env.example).",
        aliases=("docs",),
    )
    reference.add_argument("--check", action="store_true", help="write nothing; exit 1 when a page is stale")
    return root


def _eval_dialogues_command(kinds: Any, about: str) -> None:
    dialogues = _add(kinds, "dialogues", _eval_dialogues, f"{about} measure how many turns of conversations are answered right.")
    dialogues.add_argument(
        "folder",
        nargs="?",
        default="",
        metavar="DIR",
        help="one set (corpus.jsonl, dialogues.jsonl), or a folder of sets (default: the project's own)",
    )
    dialogues.add_argument(
        "--half",
        choices=("dev", "held-out", "all"),
        default="all",
        help="only the dialogues of one half, by their ids (default: %(default)s)",
    )
    dialogues.add_argument("--json", action="store_true", help="print JSON instead of a table")


def _admin_commands(commands: Any) -> None:
    admin = commands.add_parser("admin", help="Manage administrators.", description="Manage administrators.")
    about = (
        "Create an administrator: an operator of the installation (rate rules, access lists, metrics), or an admin of a tenant"
        " (usage, caches, dead letters)."
    )
    create = _add(admin.add_subparsers(title="commands", metavar="COMMAND", required=True), "create", _admin_create, about)
    create.add_argument("email", metavar="EMAIL", help="e-mail address to log in with")
    create.add_argument("--tenant", default="", help="tenant that the account belongs to (default: a new tenant)")
    create.add_argument(
        "--role", choices=("admin", "operator"), help="role of the account (default: operator; with --tenant: admin, of that tenant)"
    )
    create.add_argument("--name", default="", help="display name of the person")
    create.add_argument(
        "--password-stdin", action="store_true", help="read the password from the first line of standard input instead of prompting"
    )
    create.add_argument("--promote", action="store_true", help="give the existing account with this address the role")


def _invite_commands(commands: Any) -> None:
    about = "Manage invitations to register (CLAW_AUTH_REGISTRATION=invitation)."
    invite = commands.add_parser("invite", help=about, description=about)
    invites = invite.add_subparsers(title="commands", metavar="COMMAND", required=True)
    create = _add(invites, "create", _invite_create, "Create an invitation: one person can register with it, once.")
    create.add_argument("--email", default="", help="the only e-mail address that it is for (default: any)")
    create.add_argument("--days", type=float, default=7.0, help="days until it expires (default: 7)")
    _add(invites, "list", _invite_list, "List the invitations, with their state.")
    revoke = _add(invites, "revoke", _invite_revoke, "Revoke an unused invitation.")
    revoke.add_argument("id", metavar="ID", help="the beginning of its id, as list prints it")


def _config_commands(commands: Any) -> None:
    about = "Change configuration while everything runs (docs/configs.md lists the keys)."
    config = commands.add_parser("config", help=about, description=about)
    configs = config.add_subparsers(title="commands", metavar="COMMAND", required=True)
    get = _add(configs, "get", _config_get, "Show a key, or every key that is not at its default. Sensitive values are not shown.")
    get.add_argument("key", metavar="KEY", nargs="?", default="", help="name of a key, such as model.temperature (default: all)")
    get.add_argument("--json", action="store_true", help="print JSON")
    set_ = _add(configs, "set", _config_set, "Change a key. In force in every process within a second.")
    history = _add(configs, "history", _config_history, "List the revisions of a key, newest first.")
    diff = _add(configs, "diff", _config_diff, "Compare two revisions of a key; exit 1 when they differ.")
    rollback = _add(configs, "rollback", _config_rollback, "Give a key the value of an earlier revision, as a new one.")
    for command in (set_, history, diff, rollback):
        command.add_argument("key", metavar="KEY", help="name of a key, such as model.temperature")
    set_.add_argument("value", metavar="VALUE", nargs="?", help="the new value")
    set_.add_argument("--stdin", action="store_true", help="read the value from the first line of standard input, as for sensitive keys")
    set_.add_argument("--default", action="store_true", help="reset the key to its default")
    diff.add_argument("before", metavar="FROM", type=int, help="a revision; 0 is the default")
    diff.add_argument("after", metavar="TO", type=int, nargs="?", help="a revision (default: the newest)")
    rollback.add_argument("revision", metavar="REVISION", type=int, help="a revision that history lists; 0 is the default")
    stage = _add(configs, "stage", _config_stage, "Put a value in force in a part of the installation; a guard rolls it back by itself.")
    promote = _add(configs, "promote", _config_promote, "Put a staged value in force everywhere.")
    abort = _add(configs, "abort", _config_abort, "Take a staged value back.")
    for command in (stage, promote, abort):
        command.add_argument("key", metavar="KEY", help="name of a key, such as model.temperature")
        command.add_argument("--reason", default="", help="the reason, for the history")
    stage.add_argument("value", metavar="VALUE", nargs="?", help="the value")
    stage.add_argument("--default", action="store_true", help="stage the key's default")
    part = stage.add_mutually_exclusive_group(required=True)
    part.add_argument("--share", type=float, help="share of the processes, above 0 and at most 1")
    part.add_argument("--worker", action="append", default=[], metavar="NAME", help="a process or component, such as chat; repeatable")
    part.add_argument("--tenant", action="append", default=[], metavar="TENANT", help="a tenant; repeatable")
    stage.add_argument("--guard", metavar="JSON", default="", help="the guard as the API takes it, such as docs/operations.md shows")
    stage.add_argument("--promote-after", metavar="SECONDS", type=float, help="promote it by itself after this time")
    export = _add(configs, "export", _config_export, "Write every changed value, without sensitive ones, as JSON.")
    export.add_argument("file", metavar="FILE", nargs="?", default="-", help="file to write (default: standard output)")
    import_ = _add(configs, "import", _config_import, "Change every key of an exported file, or none when one of them is refused.")
    import_.add_argument("file", metavar="FILE", help="file to read; - is standard input")
    import_.add_argument("--dry-run", action="store_true", help="show what would change, and change nothing")
    for command in (set_, rollback, import_):
        command.add_argument("--reason", default="", help="the reason, for the history")


def _inbox_commands(commands: Any) -> None:
    inbox = commands.add_parser(
        "inbox", help="Manage the inboxes of upstream systems.", description="Manage the inboxes of upstream systems."
    )
    inboxes = inbox.add_subparsers(title="commands", metavar="COMMAND", required=True)
    about = "Create the inbox topic of a tenant; print the ACL commands and the client settings for its producer."
    create = _add(inboxes, "create", _inbox_create, about)
    create.add_argument("tenant", metavar="TENANT", help="tenant that will own the documents")
    create.add_argument("--principal", default="User:upstream", help="Kafka principal of the producer")
    _add(inboxes, "list", _inbox_list, "List the inboxes, and show whether workers read them.")
    _add(inboxes, "schema", _inbox_schema, "Print the JSON Schema of an inbox event.")


def _redrive_command(commands: Any) -> None:
    redrive = _add(commands, "redrive", _redrive, "Redrive dead letters: send one by its id, or all that match, again, oldest first.")
    redrive.add_argument("--id", default="", help="id of one dead letter: partition-offset")
    redrive.add_argument("--code", help="only dead letters with this error code")
    redrive.add_argument("--topic", help="only dead letters from this topic")
    redrive.add_argument("--agent", help="only dead letters of this agent")
    redrive.add_argument("--since", default="", help="only dead letters written within this time span, such as 90s, 30m, 2h, 7d")
    redrive.add_argument("--limit", type=int, default=1_000, help="maximum number to send")
    redrive.add_argument("--dry-run", action="store_true", help="print what would be sent, and send nothing")
    redrive.add_argument("--force", action="store_true", help="also send dead letters that are superseded or were sent before")


def _rebuild_commands(commands: Any) -> None:
    about = "Rebuild an index or tables from the log, while the current ones serve."
    reindex = commands.add_parser("rebuild", help=about, description=about)
    kinds = reindex.add_subparsers(title="commands", metavar="COMMAND", required=True)
    index = _add(
        kinds, "index", _rebuild_index, "Build a new index of a knowledge base from the log while the current one serves, then switch."
    )
    back = _add(kinds, "back", _rebuild_back, "Switch back to the index that was kept.")
    drop = _add(kinds, "drop", _rebuild_drop, "Cancel the build in progress, or delete the index that was kept.")
    status = _add(kinds, "status", _rebuild_status, "Show the indexes and the progress of a rebuild.")
    for command in (index, back, drop, status):
        command.add_argument("--tenant", default="default", help="tenant that owns the knowledge base (default: default)")
    for command in (back, drop):
        command.add_argument("--kb", required=True, help="id of the knowledge base")
    for command in (index, status):
        which = command.add_mutually_exclusive_group(required=True)
        which.add_argument("--kb", help="id of the knowledge base")
        which.add_argument("--all", action="store_true", help="every knowledge base of the tenant, one after the other")
    size = "of a chunk, in tokens (default: from the settings)"
    index.add_argument("--chunk-tokens", type=_tokens(32, 2048), metavar="N", default=0, help=f"target size {size}, 32 to 2048")
    index.add_argument("--chunk-tokens-max", type=_tokens(64, 4096), metavar="N", default=0, help=f"largest size {size}, 64 to 4096")
    index.add_argument(
        "--embedding", choices=("local", "wordllama", "openai", "zhipu"), default="", help="embedding model (default: from the settings)"
    )
    index.add_argument("--keep", action="store_true", help="keep the old index, so that `back` can switch to it until `drop` deletes it")
    index.add_argument("--force", action="store_true", help="switch even when documents are missing")
    index.add_argument(
        "--timeout",
        type=float,
        default=3600.0,
        metavar="S",
        help="seconds to follow the build (default: 3600); the build continues after that",
    )

    rebuild_tables = _add(kinds, "tables", _rebuild_tables, "Rebuild record tables and counters from their topics while the stack serves.")
    tables = rebuild_tables.add_mutually_exclusive_group(required=True)
    tables.add_argument("--all", action="store_true", help="every table")
    tables.add_argument("--table", action="append", metavar="NAME", default=[], help="name of a table; repeat for several")


def _data_commands(commands: Any) -> None:
    _backup_commands(commands)
    _usage_commands(commands)
    _erasure_commands(commands)


def _backup_commands(commands: Any) -> None:
    backup = _add(
        commands,
        "backup",
        _backup,
        "Copy all topics and the files of documents while the installation serves; nothing is left of a backup that fails. Or verify one.",
    )
    backup.add_argument("verify", nargs="?", choices=("verify",), help="check every hash, record and count of the backup at PATH instead")
    backup.add_argument("path", metavar="PATH", type=Path, help="a new folder, or with the ending .tar a tar archive")
    backup.add_argument(
        "--with-secrets", action="store_true", help="with the signing secret and the API key of CLAW_HOME: keep the backup as safe as these"
    )
    restore = _add(
        commands,
        "restore",
        _restore,
        "Restore a backup into an installation that was never started: topics with their offsets, files, tables. Everything must be"
        " stopped; embedded servers are started for the restore.",
    )
    restore.add_argument("path", metavar="PATH", type=Path, help="the folder or tar archive")
    restore.add_argument("--dry-run", action="store_true", help="verify the backup, check whether it could be restored, and change nothing")
    for command in (backup, restore):
        command.add_argument("--json", action="store_true", help="print JSON instead of text")


def _usage_commands(commands: Any) -> None:
    about = "Check usage counters; show statistics of use."
    usage = commands.add_parser("usage", help=about, description=about)
    kinds = usage.add_subparsers(title="commands", metavar="COMMAND", required=True)
    statistics = _add(kinds, "statistics", _usage_statistics, "Print statistics of the installation, of a tenant, or of an account.")
    statistics.add_argument("--tenant", default="", help="only this tenant")
    statistics.add_argument("--account", default="", metavar="ID", help="only this account of the tenant")
    statistics.add_argument("--from", dest="first", type=date.fromisoformat, metavar="DAY", help="first day (default: 29 days before --to)")
    statistics.add_argument("--to", dest="last", type=date.fromisoformat, metavar="DAY", help="last day (default: today)")
    statistics.add_argument("--by", choices=("day", "week", "month"), default="day", help="what a row is (default: day)")
    statistics.add_argument("--json", action="store_true", help="everything as JSON, instead of the rows as CSV")
    about = "Recount usage from its topic and compare with the counters; exit 1 when a sum differs."
    reconcile = _add(kinds, "reconcile", _usage_reconcile, about)
    reconcile.add_argument("--since", default="", help="only windows that began within this time span, such as 90m, 2h, 7d")
    reconcile.add_argument("--repair", action="store_true", help="rebuild the counters from the topic when a sum differs")


def _erasure_commands(commands: Any) -> None:
    about = "Check erasures of accounts and organisations, and verify their certificates (docs/erasure.md)."
    erasure = commands.add_parser("erasure", help=about, description=about)
    kinds = erasure.add_subparsers(title="commands", metavar="COMMAND", required=True)
    checked = _add(
        kinds,
        "check",
        _erasure_check,
        "Read every topic, every key of Redis, the files and the index for what is left of an account or a tenant; exit 1 when something is"
        " left that does not expire by itself.",
    )
    checked.add_argument("--account", default="", metavar="ID", help="id of the account (default: the whole tenant)")
    checked.add_argument("--tenant", default="", help="tenant to check; of an account only needed when nothing of it is known any more")
    checked.add_argument("--term", action="append", default=[], metavar="TEXT", help="further text to look for; repeat for several")
    checked.add_argument("--json", action="store_true", help="print JSON instead of a table")
    _add(kinds, "key", _erasure_key, "Print the public key that certificates are verified with.")
    verified = _add(kinds, "verify", _erasure_verify, "Verify the signature of a certificate; exit 1 when it does not hold.")
    verified.add_argument("path", metavar="FILE", type=Path, help="the certificate, or the response of GET /erasures/{id}")
    verified.add_argument("--key", default="", metavar="KEY", help="public key of the installation (default: the one in the certificate)")


def _task_commands(commands: Any) -> None:
    about = "List, show, cancel and retry tasks, one or many; show the workers."
    tasks = commands.add_parser("tasks", help=about, description=about)
    kinds = tasks.add_subparsers(title="commands", metavar="COMMAND", required=True)
    listed = _add(kinds, "list", _tasks_list, "List the newest tasks of a tenant.")
    listed.add_argument("--kind", choices=TASK_KINDS, help="only tasks of this kind")
    listed.add_argument("--state", choices=TASK_STATES, help="only tasks in this state")
    listed.add_argument("--account", default="", help="only tasks of the account with this id")
    listed.add_argument("--limit", type=int, default=50, help="maximum number to list (default: 50)")
    show = _add(kinds, "show", _tasks_show, "Show all that is known of a task, as JSON.")
    counted = _add(kinds, "stats", _tasks_stats, "Show counts by state, durations and rates of each kind of task.")
    counted.add_argument("--since", default="1d", help="only tasks created within this time span, such as 90m, 2h, 7d (default: 1d)")
    for command in (listed, show, counted):
        command.add_argument("--tenant", default="default", help="tenant that owns the tasks (default: default)")
    cancel = _add(kinds, "cancel", _tasks_cancel, "Cancel a task through the API.")
    retry = _add(kinds, "retry", _tasks_retry, "Retry a task that failed or was cancelled through the API, as a new task.")
    bulk = _add(kinds, "bulk", _tasks_bulk, "Cancel or retry many tasks, or redrive many dead letters, through the API, as one task.")
    bulk.add_argument("action", choices=("cancel", "retry", "redrive"), help="what to do with everything that matches")
    bulk.add_argument("--kind", choices=TASK_KINDS, help="only tasks of this kind")
    bulk.add_argument("--state", choices=TASK_STATES, help="only tasks in this state")
    bulk.add_argument("--account", default="", help="only tasks of the account with this id")
    bulk.add_argument("--code", default="", help="only dead letters with this error code")
    bulk.add_argument("--topic", default="", help="only dead letters from this topic")
    bulk.add_argument("--agent", default="", help="only dead letters of this agent")
    bulk.add_argument("--rate", type=int, default=10, help="items per second (default: 10)")
    bulk.add_argument("--dry-run", action="store_true", help="only count what matches")
    for command in (cancel, retry, bulk):
        _add_api(command)
    for command in (show, cancel, retry):
        command.add_argument("id", metavar="ID", help="id of the task")
    _add(kinds, "workers", _tasks_workers, "Show the worker groups and their workers; exit 1 when a group has no worker that is up.")


def _schedule_commands(commands: Any) -> None:
    about = "List, create, pause, trigger and delete schedules through the API."
    kinds = commands.add_parser("schedule", help=about, description=about).add_subparsers(
        title="commands", metavar="COMMAND", required=True
    )
    listed = _add(kinds, "list", _schedule_list, "List schedules: id, name, times, action, next run.")
    listed.add_argument("--installation", action="store_true", help="those of the installation, for operators")
    show = _add(kinds, "show", _schedule_show, "Show a schedule, its next times and its last runs.")
    create = _add(kinds, "create", _schedule_create, "Create a schedule.")
    create.add_argument("name", metavar="NAME", help="name of the schedule")
    create.add_argument("--action", required=True, choices=("rebuild", "redrive", "clean_up", "health_check"), help="what runs")
    create.add_argument("--kb", default="", metavar="ID", help="knowledge base to rebuild")
    create.add_argument("--cron", default="", metavar="LINE", help="minute, hour, day of the month, month, day of the week")
    create.add_argument("--time-zone", default="UTC", metavar="ZONE", help="time zone of the cron line (default: UTC)")
    create.add_argument("--every", type=int, default=0, metavar="SECONDS", help="interval instead of a cron line")
    create.add_argument("--offset", type=int, default=0, metavar="SECONDS", help="shift of the interval (default: 0)")
    create.add_argument(
        "--overlap", choices=("skip", "queue", "cancel_old"), default="skip", help="while an earlier run has not ended (default: skip)"
    )
    create.add_argument("--catch-up", type=int, default=3_600, metavar="SECONDS", help="how late a missed run may begin (default: 3600)")
    create.add_argument("--jitter", type=int, default=0, metavar="SECONDS", help="how far runs are spread behind their time (default: 0)")
    pause = _add(kinds, "pause", _schedule_pause, "Pause a schedule; runs that have begun go on.")
    resume = _add(kinds, "resume", _schedule_resume, "Resume a schedule; what was missed meanwhile does not run.")
    trigger = _add(kinds, "trigger", _schedule_trigger, "Run a schedule once now.")
    delete = _add(kinds, "delete", _schedule_delete, "Delete a schedule.")
    create.add_argument("--note", default="", help="a note for people")
    for command in (pause, resume):
        command.add_argument("--note", default=None, help="a note for people, such as the reason")
    for command in (show, pause, resume, trigger, delete):
        command.add_argument("id", metavar="ID", help="id of the schedule")
    for command in (listed, show, create, pause, resume, trigger, delete):
        _add_api(command)


def _add_api(command: argparse.ArgumentParser) -> None:
    command.add_argument("--url", default="", help="URL of the API (default: on this machine, CLAW_PORT)")
    command.add_argument("--key-file", default="", metavar="PATH", help="file with an API key (default: CLAW_HOME/key)")


def _replay_command(commands: Any) -> None:
    replay = _add(
        commands,
        "replay",
        _replay,
        "Send the question and passages of a recorded answer to another model; print both answers. Nothing is written.",
    )
    replay.add_argument("reply", metavar="REPLY", help="id of the reply")
    replay.add_argument("--tenant", default="", help="tenant of the reply, when the id alone does not find it")
    replay.add_argument(
        "--model", default="", help="name of the model (default: from the settings for the same provider, else the provider's preset)"
    )
    replay.add_argument("--provider", choices=tuple(model_names.ANSWERING), default="", help="model provider (default: from the settings)")
    replay.add_argument(
        "--base-url",
        default="",
        help="base URL of the provider's API (default: from the settings for the same provider, else the provider's preset)",
    )
    replay.add_argument("--json", action="store_true", help="print JSON instead of two columns")


def _faults_command(commands: Any) -> None:
    about = (
        "Run a temporary stack under mixed load while its processes, servers and model provider fail and heal; then check everything that"
        " clients were told against what must always hold. Exit 1 on a violation, or when a state that matters was never reached."
    )
    faults = _add(commands, "faults", _faults, about)
    faults.add_argument("--seed", type=int, metavar="N", help="seed of the faults and the load (default: a new one, which is printed)")
    faults.add_argument("--minutes", type=float, default=10.0, metavar="M", help="minutes of faults, 0.2 to 120 (default: %(default)g)")
    faults.add_argument(
        "--tasks",
        type=int,
        metavar="N",
        help="instead: begin N tasks of every kind, 10 to 10,000, kill workers meanwhile, and check that each ends once",
    )
    faults.add_argument("--out", default="", metavar="DIR", help="folder for history, report and logs (default: a new temporary one)")
    faults.add_argument("--redis-loss", action="store_true", help="also lose all data of Redis, and rebuild its tables")
    faults.add_argument("--check", default="", metavar="FILE", help="check the history of an earlier run again; nothing is started")


def _tokens(low: int, high: int) -> Callable[[str], int]:
    """The argument type of a number of tokens from ``low`` to ``high``."""

    def tokens(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {low} to {high}")
        return int(text)

    return tokens


def _add(commands: Any, name: str, run: Command, description: str, aliases: Sequence[str] = ()) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=description, description=description, aliases=aliases)
    command.set_defaults(run=run)
    return command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code: 1 = the command failed, 2 = a setting or the installation is wrong."""
    chosen = parser().parse_args(arguments)
    try:
        settings = load_settings(os.environ)
        result = chosen.run(settings if chosen.run in WITHOUT_SERVERS else _locate_servers(settings), chosen)
        return int(asyncio.run(result) if inspect.iscoroutine(result) else result or 0)
    except ClawError as error:
        print(f"claw: {error.detail or error.code}", file=sys.stderr)
        return MISCONFIGURED if isinstance(error, ConfigurationError) else FAILED
    except KeyboardInterrupt:
        return 130


def _locate_servers(settings: Settings) -> Settings:
    from ops.stack import embedded

    return embedded.locate_servers(settings)


def _up(settings: Settings, _chosen: argparse.Namespace) -> int:
    from ops.processes import logs
    from ops.stack import command

    logs.configure(settings.node, "stack")
    _quiet_driver()
    code = command.up(settings, os.environ)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # everything is stopped; a download still in progress in a thread must not delay the exit


def _quiet_driver() -> None:
    """Silence the Kafka client, which logs every failed connection before it raises: these commands print one message of their own."""
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


def _backup(settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.commands import backup
    from ops.processes import logs

    if chosen.verify:
        return backup.check(chosen.path, as_json=chosen.json)
    logs.configure(settings.node, "backup")  # to standard error: standard output has the result
    _quiet_driver()
    return backup.create(_locate_servers(settings), chosen.path, environ=os.environ, with_secrets=chosen.with_secrets, as_json=chosen.json)


def _restore(settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.commands import restore
    from ops.processes import logs

    logs.configure(settings.node, "restore")
    _quiet_driver()
    return restore.run(settings, chosen.path, environ=os.environ, dry_run=chosen.dry_run, as_json=chosen.json)


def _asyncapi(settings: Settings, chosen: argparse.Namespace) -> None:
    from ops.commands import asyncapi

    asyncapi.print_document(settings, private=chosen.private)


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

    return keys.create(settings, chosen.tenant, chosen.mode)


def _admin_create(settings: Settings, chosen: argparse.Namespace) -> int:
    from ops.commands import admins

    _quiet_driver()
    return admins.create(
        settings,
        chosen.email,
        tenant=chosen.tenant,
        name=chosen.name,
        role=chosen.role,
        password_stdin=chosen.password_stdin,
        promote=chosen.promote,
    )


def _invite_create(settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.commands import invitations

    return invitations.create(settings, chosen.email, chosen.days)


def _invite_list(settings: Settings, _: argparse.Namespace) -> Any:
    from ops.commands import invitations

    return invitations.list_(settings)


def _invite_revoke(settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.commands import invitations

    return invitations.revoke(settings, chosen.id)


def _config_get(settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.commands import configs

    return configs.get(settings, chosen.key, as_json=chosen.json)


def _config_set(settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.commands import configs

    return configs.set_(settings, chosen.key, chosen.value, reason=chosen.reason, reset=chosen.default, stdin=chosen.stdin)


def _config_history(settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.commands import configs

    return configs.history(settings, chosen.key)


def _config_diff(settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.commands import configs

    return configs.diff(settings, chosen.key, chosen.before, chosen.after)


def _config_rollback(settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.commands import configs

    return configs.rollback(settings, chosen.key, chosen.revision, reason=chosen.reason)


def _config_stage(settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.commands import config_stages

    part = {"share": chosen.share, "workers": chosen.worker, "tenants": chosen.tenant}
    more = {"guard": chosen.guard, "promote_after": chosen.promote_after, "reason": chosen.reason}
    return config_stages.stage(settings, chosen.key, chosen.value, part, reset=chosen.default, **more)


def _config_promote(settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.commands import config_stages

    return config_stages.end(settings, chosen.key, "promoted", reason=chosen.reason)


def _config_abort(settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.commands import config_stages

    return config_stages.end(settings, chosen.key, "aborted", reason=chosen.reason)


def _config_export(settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.commands import configs

    return configs.export(settings, chosen.file)


def _config_import(settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.commands import configs

    return configs.import_(settings, chosen.file, reason=chosen.reason, dry_run=chosen.dry_run)


def _eval_documents(settings: Settings, chosen: argparse.Namespace) -> int:
    from ops.evaluation import documents

    return documents.run(settings, chosen.folder, as_json=chosen.json)


def _eval_retrieval(settings: Settings, chosen: argparse.Namespace) -> int:
    from ops.evaluation import retrieval

    limit = max(0, chosen.limit)
    return retrieval.run(settings, chosen.folder, name=chosen.set, limit=limit, together=chosen.together, as_json=chosen.json)


def _eval_paraphrases(settings: Settings, chosen: argparse.Namespace) -> int:
    from ops.evaluation import paraphrases

    return paraphrases.run(settings, as_json=chosen.json)


def _eval_answers(settings: Settings, chosen: argparse.Namespace) -> int:
    from ops.evaluation import answers

    return answers.run(settings, chosen.folder, name=chosen.set, limit=max(0, chosen.limit), as_json=chosen.json)


def _eval_tables(settings: Settings, chosen: argparse.Namespace) -> int:
    from ops.evaluation.tables import run

    return run.run(settings, part=chosen.part, as_json=chosen.json)


def _eval_dialogues(settings: Settings, chosen: argparse.Namespace) -> int:
    from ops.evaluation import dialogues

    return dialogues.run(settings, chosen.folder, half=chosen.half, as_json=chosen.json)


def _faults(_settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.faults import command

    _quiet_driver()
    return command.run(
        seed=chosen.seed,
        minutes=chosen.minutes,
        out=chosen.out,
        redis_loss=chosen.redis_loss,
        check=chosen.check,
        tasks=chosen.tasks,
    )


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


def _usage_statistics(settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.commands import statistics

    return statistics.show(settings, chosen.tenant, chosen.account, chosen.first, chosen.last, by=chosen.by, as_json=chosen.json)


def _usage_reconcile(settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.commands import usage

    _quiet_driver()
    return usage.reconcile(settings, since=chosen.since, repair=chosen.repair)


def _erasure_check(settings: Settings, chosen: argparse.Namespace) -> Any:
    from domain.eraser.needles import TERMS_MAX
    from ops.commands import erasure
    from ops.stack.environment import with_secret

    _quiet_driver()
    if not chosen.account and not chosen.tenant:
        raise ConfigurationError("--account: name an account, or a tenant with --tenant")
    if len(chosen.term) > TERMS_MAX:
        raise ConfigurationError(f"--term: at most {TERMS_MAX} texts are looked for at once")
    settings = settings if settings.encryption_secret else with_secret(settings, os.environ, create=False)
    return erasure.check(settings, account=chosen.account, tenant=chosen.tenant, terms=chosen.term, as_json=chosen.json)


def _erasure_key(settings: Settings, _chosen: argparse.Namespace) -> Any:
    from ops.commands import erasure
    from ops.stack.environment import with_secret

    return erasure.print_key(with_secret(settings, os.environ, create=False))


def _erasure_verify(_settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.commands import erasure

    return erasure.verify(chosen.path, chosen.key)


def _tasks_list(settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.commands import tasks

    _quiet_driver()
    return tasks.list_tasks(
        settings, chosen.tenant, kind=chosen.kind, state=chosen.state, account=chosen.account, limit=max(1, chosen.limit)
    )


def _tasks_show(settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.commands import tasks

    _quiet_driver()
    return tasks.show(settings, chosen.tenant, chosen.id)


def _tasks_stats(settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.commands import tasks

    _quiet_driver()
    return tasks.stats(settings, chosen.tenant, chosen.since)


def _tasks_workers(settings: Settings, _chosen: argparse.Namespace) -> Any:
    from ops.commands import tasks

    _quiet_driver()
    return tasks.workers(settings)


def _tasks_cancel(settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.commands import tasks

    return tasks.act(settings, "cancel", chosen.id, url=chosen.url, key_file=chosen.key_file)


def _tasks_retry(settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.commands import tasks

    return tasks.act(settings, "retry", chosen.id, url=chosen.url, key_file=chosen.key_file)


def _tasks_bulk(settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.commands import tasks

    filters = {name: getattr(chosen, name) for name in ("kind", "state", "account", "code", "topic", "agent")} | {"rate_per_s": chosen.rate}
    return tasks.act_on_many(settings, chosen.action, filters, dry_run=chosen.dry_run, url=chosen.url, key_file=chosen.key_file)


def _schedule_list(settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.commands import schedules

    return schedules.list_schedules(settings, chosen)


def _schedule_show(settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.commands import schedules

    return schedules.show(settings, chosen)


def _schedule_create(settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.commands import schedules

    return schedules.create(settings, chosen)


def _schedule_pause(settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.commands import schedules

    return schedules.pause(settings, chosen, paused=True)


def _schedule_resume(settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.commands import schedules

    return schedules.pause(settings, chosen, paused=False)


def _schedule_trigger(settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.commands import schedules

    return schedules.trigger(settings, chosen)


def _schedule_delete(settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.commands import schedules

    return schedules.delete(settings, chosen)


def _replay(settings: Settings, chosen: argparse.Namespace) -> Any:
    from ops.commands import replay

    _quiet_driver()
    other = replay.other_model(settings.model, name=chosen.model, provider=chosen.provider, base_url=chosen.base_url)
    return replay.run(settings, chosen.reply, other, tenant=chosen.tenant, as_json=chosen.json)


def _reference(_settings: Settings, chosen: argparse.Namespace) -> int:
    from ops.commands import reference

    return reference.run(chosen.check)


WITHOUT_SERVERS = (
    _erasure_key,
    _erasure_verify,
    _up,
    _down,
    _doctor,
    _demo,
    _inbox_schema,
    _reference,
    _faults,
    _backup,
    _restore,
)  # they start, find or do not need Kafka and Redis


if __name__ == "__main__":
    sys.exit(main())
