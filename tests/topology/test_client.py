"""Every client of Kafka's is made in one place, and reaches it as the settings say."""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "cronstream"
HERE = PACKAGE / "topology" / "client.py"
CONSTRUCTORS = {
    "AIOKafkaAdminClient",
    "AIOKafkaClient",
    "AIOKafkaConnection",
    "AIOKafkaConsumer",
    "AIOKafkaProducer",
    "create_conn",
}


def clients_made_in(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).rpartition(".")[2]
            if name in CONSTRUCTORS:
                yield name


def test_every_client_of_kafka_is_made_in_one_module() -> None:
    elsewhere = {
        f"{module.relative_to(PACKAGE)} makes {name}"
        for module in PACKAGE.rglob("*.py")
        for name in clients_made_in(module)
        if module != HERE
    }
    assert elsewhere == set()


def test_the_module_that_makes_them_is_where_the_test_looks_for_it() -> None:
    assert set(clients_made_in(HERE)) >= {"AIOKafkaAdminClient", "AIOKafkaConsumer"}
