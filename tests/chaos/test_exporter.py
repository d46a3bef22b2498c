from contextlib import closing
from pathlib import Path

from chaos.exporter import attach
from cronstream.broker.cluster import EmbeddedCluster
from cronstream.broker.guard import Guard


def test_each_broker_speaks_to_prometheus_at_an_address_of_its_own(tmp_path: Path) -> None:
    with closing(Guard()) as guard:
        kafka = EmbeddedCluster(tmp_path, 3, guard=guard, say=print, jar_cache=tmp_path)

    addresses = attach(kafka.brokers.values(), Path("/x.jar"))

    assert len(set(addresses)) == 3
    for address, broker in zip(addresses, kafka.brokers.values(), strict=True):
        [flag] = broker.flags
        assert flag.startswith(f"-javaagent:/x.jar={address}:")
        assert Path(flag.rpartition(":")[2]).name == "jmx-exporter.yml"
