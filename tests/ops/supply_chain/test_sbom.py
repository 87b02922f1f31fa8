"""The bill of materials: packages, jars and vendored npm packages, from the lock files."""

from ops.supply_chain import sbom
from ops.supply_chain.components import read_jars, read_packages, read_vendored


def test_jars_are_added_with_their_hashes():
    """Each jar with the hash that it is checked against before it runs."""
    document = sbom.add_components({"bomFormat": "CycloneDX", "components": [{"name": "a package"}]}, (*read_jars(), *read_vendored()))
    kafka = next(each for each in document["components"] if each["name"] == "kafka_2.13")
    assert kafka["purl"] == f"pkg:maven/org.apache.kafka/kafka_2.13@{kafka['version']}"
    assert len(kafka["hashes"][0]["content"]) == 64
    signals = next(each for each in document["components"] if each["name"] == "signals")
    assert signals["purl"] == f"pkg:npm/%40preact/signals@{signals['version']}"
    assert signals["group"] == "@preact"
    assert document["components"][0] == {"name": "a package"}
    assert {each.purl for each in read_packages()} >= {
        f"pkg:pypi/msgspec@{each.version}" for each in read_packages() if each.name == "msgspec"
    }
