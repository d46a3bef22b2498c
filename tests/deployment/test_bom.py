"""A bill of materials has the embedded Kafka in it."""

from cronstream.broker.jars import KAFKA_VERSION
from cronstream.broker.pins import pins
from tests.deployment.bom import with_jars


def test_each_jar_is_in_the_bill_with_its_version_digest_and_licence() -> None:
    bill = with_jars({"components": [{"name": "faust-streaming"}]})
    by_file = {one["properties"][0]["value"]: one for one in bill["components"][1:]}
    assert by_file.keys() == pins().keys()
    kafka = by_file[f"kafka-clients-{KAFKA_VERSION}.jar"]
    assert (kafka["name"], kafka["version"]) == ("kafka-clients", KAFKA_VERSION)
    assert kafka["hashes"][0]["content"] == pins()[f"kafka-clients-{KAFKA_VERSION}.jar"]
    assert kafka["licenses"] == [{"expression": "Apache-2.0"}]
    assert by_file["zstd-jni-1.5.6-10.jar"]["version"] == "1.5.6-10"
