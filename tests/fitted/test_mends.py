"""That the application mends aiokafka, in a process of its own: here other tests have done so."""

import subprocess
import sys

LOOK = """
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection
from aiokafka.consumer.fetcher import Fetcher
import cronstream.application
mended = AIOKafkaClient._metadata_update, AIOKafkaConnection.connect, Fetcher._proc_offset_request
print(*(method.__module__.rpartition(".")[2] for method in mended))
"""


def test_the_application_notices_who_is_gone_who_leads_and_who_has_moved() -> None:
    done = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["bootstrap", "connections", "leaders"]
