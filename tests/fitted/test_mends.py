"""That whoever makes clients mends aiokafka, in a process of its own: here tests have done so."""

import subprocess
import sys

LOOK = """
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection, OAuthAuthenticator
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.producer.sender import SendProduceReqHandler
import cronstream.topology.client
mended = (
    AIOKafkaClient._metadata_update,
    AIOKafkaConnection.connect,
    Fetcher._proc_offset_request,
    OAuthAuthenticator.step,
    SendProduceReqHandler.do,
)
print(*(method.__module__.rpartition(".")[2] for method in mended))
"""


def test_every_client_notices_who_is_gone_who_leads_who_has_moved_and_who_is_not_let_in() -> None:
    done = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["bootstrap", "connections", "leaders", "logins", "counting"]
