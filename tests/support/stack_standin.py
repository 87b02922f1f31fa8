"""A stack whose lanes and API are stand-ins: ``python -m tests.support.stack_standin`` is `claw up` with them; Kafka, Redis are real"""

import sys
from dataclasses import replace

from ops import cli
from ops.stack import command
from ops.stack.plan import Plan, plan

SERVICE = """
import http.server, os, sys, time
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *arguments):
        pass
port = int(os.environ.get("CLAW_METRICS_PORT") or os.environ["CLAW_PORT"])
if os.environ.get("CLAW_TEST_STUBBORN"):
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
http.server.HTTPServer(("127.0.0.1", port), Ready).serve_forever()
"""


def planned(settings, environ) -> Plan:
    """The real plan with other commands."""
    real = plan(settings, environ)
    return replace(real, services=tuple(replace(service, command=(sys.executable, "-c", SERVICE)) for service in real.services))


if __name__ == "__main__":
    command.plan = planned  # type: ignore[attr-defined]  # standing in for the import
    sys.exit(cli.main([*sys.argv[1:]] or ["up"]))
