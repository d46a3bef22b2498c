"""Adds Kafka's jars to a bill of materials (CycloneDX, JSON): ``python -m`` this module FILE."""

import json
import re
import sys
from pathlib import Path
from typing import Any

from cronstream.broker.pins import pins
from tests.deployment.licences import of_jars

_VERSIONED = re.compile(r"(?P<name>.+?)-(?P<version>[0-9][^-]*(?:-[0-9]+)?)\.jar")


def with_jars(bom: dict[str, Any]) -> dict[str, Any]:
    """Return the bill with a component for each jar of the embedded Kafka."""
    components = [*bom.get("components", []), *map(_component, pins().items())]
    return {**bom, "components": components}


def _component(pin: tuple[str, str]) -> dict[str, Any]:
    jar, digest = pin
    found = _VERSIONED.fullmatch(jar)
    assert found is not None, jar
    return {
        "type": "library",
        "bom-ref": f"jar-{jar}",
        "name": found["name"],
        "version": found["version"],
        "description": "of the embedded Kafka",
        "hashes": [{"alg": "SHA-256", "content": digest}],
        "licenses": [{"expression": of_jars()[found["name"]]}],
        "properties": [{"name": "file", "value": jar}],
    }


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(json.dumps(with_jars(json.loads(path.read_text())), indent=2) + "\n")
    print(f"{path} has {len(json.loads(path.read_text())['components'])} components")
