"""Python reads this first in a `chalice` that a test started with this folder on its path.

It notes every call to AWS in ``PROBE_CALLS``, ends the process as ``kill -9`` would right after the call that
``PROBE_DIE_AFTER`` names, and shortens the waits that are there for AWS's sake.
"""

import os
import sys


def _watch_calls() -> None:
    import time

    import botocore.client

    real_call, real_sleep = botocore.client.BaseClient._make_api_call, time.sleep

    def call(self, operation_name, api_params):
        try:
            return real_call(self, operation_name, api_params)
        finally:
            service = self.meta.service_model.service_name
            with open(os.environ["PROBE_CALLS"], "a") as calls:  # noqa: PTH123 - the fewest imports
                calls.write(f"{service}:{operation_name}\n")
            if f"{service}:{operation_name}" == os.environ.get("PROBE_DIE_AFTER"):
                os._exit(137)

    botocore.client.BaseClient._make_api_call = call
    time.sleep = lambda seconds: real_sleep(min(seconds, 0.3))


if "PROBE_CALLS" in os.environ and any("chalice.cli" in word for word in sys.orig_argv):
    _watch_calls()
