"""That the application mends aiokafka, in a process of its own: here other tests have done so."""

import subprocess
import sys

LOOK = """
from aiokafka.conn import AIOKafkaConnection
from aiokafka.consumer.fetcher import Fetcher
import cronstream.application
print(AIOKafkaConnection.connect.__module__, Fetcher._proc_offset_request.__module__)
"""


def test_the_application_notices_who_is_gone_and_who_leads() -> None:
    done = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["cronstream.topology.connections", "cronstream.topology.leaders"]
