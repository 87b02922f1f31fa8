"""Agents: steps ``event + ports -> events``, one verb a module. Agents never import each other; topics are their only connection.

| module | agent (on the wire) | worker group | reads -> writes |
|---|---|---|---|
| retrieve | retrieve | knowledge | chats.asked -> chats.grounded, usage.recorded |
| query | lookup | knowledge | requests.asked -> requests.answered, usage.recorded |
| index | index | knowledge | documents.embedded -> the index, visibility, documents.progressed, documents.chunked |
| generate | generate | chat | chats.grounded -> chats.answered, messages.changed, usage.recorded, digests.asked, chats.asked |
| summarise | digest | chat | digests.asked -> messages.changed, conversations.changed, usage.recorded |
| parse | parse_express, parse_bulk, parse_slow | documents | documents.queued -> documents.{chunked,embedded,progressed,queued} |
| embed | embed | documents | documents.chunked -> documents.embedded, documents.progressed |
| ingest | admit | tables | inbox.<tenant> -> documents.submitted, documents.progressed |
| dispatch | route | tables | documents.submitted -> documents.queued, documents.embedded, documents.progressed |
| project | project | tables | every topic with a record -> record tables, the table of tasks, messages.changed |
| track | track | tables | what begins tasks, of topics without a record -> the table of tasks |
| count_usage | meter | tables | usage.recorded -> usage counters |
| count_decisions | tally | tables | limits.decided -> decision counters |

A module says its group (``WORKER_GROUP``) and builds its agents (``build``) from the core of its process, where it also asks for what it
shares with its neighbours (``domain/composition.py``). It is listed in ``ops/processes/worker_groups.py``. Retries, dead letters, metrics
and acknowledgements belong to the wrapper (``streams/runtime/wrapper.py``), never to an agent.
"""
