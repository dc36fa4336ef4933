"""Trust to store, made in one line."""

from datetime import UTC, datetime, timedelta

from imgsig.trust import Evidence, Floor, Trust

BEGINNING = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
SYSTEM = "notary"
NAME = "registry.example.com/team/app"


def trust_at(version: int) -> Trust:
    """Return trust whose roles are all at `version`; two of its four documents differ between versions."""
    floor = Floor(version, ("aa" * 32, "bb" * 32), threshold=1)
    return Trust(
        root=b'{"signed": "root"}' * 10,
        evidence=Evidence("root-keys", ("cc" * 32,)),
        floors={"timestamp": floor, "snapshot": floor, "targets": floor, "targets/releases": floor},
        documents={
            "timestamp": b"timestamp %d" % version,
            "snapshot": b"snapshot %d" % version,
            "targets": b"targets" * 1000,
            "targets/releases": b"releases",
        },
        origin="https://notary.example.com",
        known_since=BEGINNING,
        confirmed_at=BEGINNING + timedelta(seconds=version),
    )


def version_of(trust: Trust | None) -> int:
    """Return the version that every role of `trust` is at; 0 for no trust."""
    if trust is None:
        return 0
    versions = {floor.version for floor in trust.floors.values()}
    assert len(versions) == 1, versions
    return versions.pop()
