"""What suites for conformance demand of a TUF client, group by group, of the client in ``tuf_client``.

The outside suite is not among the packages that can be installed here; these tests stand in for its groups, over HTTP
and through the same protocol. ``tuf_client`` is the one path to give to it where it is at hand.
"""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, final
from urllib.parse import quote, unquote

import pytest

from tests.conformance.tuf_program import main
from tests.support.repository import EXPIRES, NOW, Reply
from tests.support.tuf_keys import TufKey, tuf_key
from tests.support.tuf_repository import TufRepository
from tests.support.tuf_server import TufServer

PROGRAM: Final = Path(__file__).parent / "tuf_client"
ROLES: Final = ("root", "timestamp", "snapshot", "targets")
COLD: Final = ["2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"]


@final
class Client:
    """The client under test, in folders of its own, and the repository that it asks."""

    def __init__(self, server: TufServer, folder: Path) -> None:
        self.server = server
        self.repository = server.repository
        self.metadata = folder / "metadata"
        self.targets = folder / "targets"
        self.now: datetime = NOW
        self._folder = folder
        self.targets.mkdir()

    def init(self, root: bytes | None = None) -> int:
        """Trust a root; the repository's first by default."""
        file = self._folder / "trusted.json"
        file.write_bytes(self.repository.files["1.root.json"] if root is None else root)
        return self._run("init", str(file))

    def refresh(self) -> int:
        """Update the top-level metadata, having forgotten earlier requests."""
        return self._run("--metadata-url", self.server.metadata_url, "refresh")

    def download(self, *paths: str) -> int:
        """Update, and download the targets at `paths`."""
        names = [word for path in paths for word in ("--target-name", path)]
        where = ["--target-dir", str(self.targets), "--target-base-url", self.server.target_url]
        return self._run("--metadata-url", self.server.metadata_url, *names, *where, "download")

    def add_file(self, path: str, content: bytes, *, role: str = "targets", **members: Any) -> None:  # noqa: ANN401 - JSON values
        """List a target, and serve its file under the names that clients may ask for."""
        self.repository.add_target(path, content, role=role, **members)
        folder, slash, name = path.rpartition("/")
        for digest in self.repository.documents[role]["targets"][path]["hashes"].values():
            self.server.targets[f"{folder}{slash}{digest}.{name}"] = content
        self.server.targets[path] = content

    def trusted(self) -> dict[str, int]:
        """Return the roles that the client trusts, with their versions."""
        documents = {unquote(file.stem): json.loads(file.read_bytes()) for file in self.metadata.glob("*.json")}
        return {role: document["signed"]["version"] for role, document in documents.items()}

    def body(self, role: str) -> bytes:
        """Return the file that the client trusts for a role."""
        return (self.metadata / f"{quote(role, safe='')}.json").read_bytes()

    def downloaded(self) -> list[bytes]:
        """Return the contents of all files in the target folder."""
        return sorted(file.read_bytes() for file in self.targets.rglob("*") if file.is_file())

    @property
    def requests(self) -> list[str]:
        """What the last run asked for."""
        return self.repository.requests

    def _run(self, *arguments: str) -> int:
        self.repository.requests.clear()
        self.server.target_requests.clear()
        return main(["--metadata-dir", str(self.metadata), *arguments], clock=lambda: self.now)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with TufServer(TufRepository()) as server:
        made = Client(server, tmp_path)
        assert made.init() == 0
        yield made


@pytest.fixture
def repository(client: Client) -> TufRepository:
    return client.repository


@pytest.fixture
def hashed(tmp_path: Path) -> Iterator[Client]:
    with TufServer(TufRepository(hashes=True)) as server:
        made = Client(server, tmp_path)
        assert made.init() == 0
        yield made


# -- basic ------------------------------------------------------------------------------------------------------------


def test_init_makes_no_request_and_refresh_asks_for_each_document_once(client: Client) -> None:
    assert client.requests == []
    assert client.trusted() == {"root": 1}
    assert client.refresh() == 0
    assert client.requests == COLD
    assert client.trusted() == dict.fromkeys(ROLES, 1)


def test_a_download_refreshes_by_itself(client: Client) -> None:
    client.add_file("file.txt", b"content")
    client.repository.publish()
    assert client.download("file.txt") == 0
    assert client.requests == [*COLD[:2], "2.snapshot.json", "2.targets.json"]
    assert client.download("file.txt") == 0
    assert client.requests == COLD[:2]


@pytest.mark.parametrize("root", [b"", b"{}", b"not json", b'{"signed":{},"signatures":[]}'])
def test_an_initial_root_that_is_none_is_refused(client: Client, root: bytes) -> None:
    assert client.init(root) == 1


def test_an_unsigned_initial_root_is_refused(client: Client) -> None:
    client.repository.signers["root"] = []
    assert client.init(client.repository.publish_role("root")) == 1


@pytest.mark.parametrize("role", ROLES)
def test_unsigned_metadata_is_refused_and_what_came_before_is_kept(client: Client, role: str) -> None:
    assert client.refresh() == 0
    client.repository.signers[role] = []
    client.repository.publish(everything=True)
    assert client.refresh() == 1
    expected = dict.fromkeys(ROLES, 1)
    for passed in ROLES[: ROLES.index(role)]:
        expected[passed] = 2
    assert client.trusted() == expected


@pytest.mark.parametrize(
    ("role", "path"), [("root", "2.root.json"), ("snapshot", "2.snapshot.json"), ("targets", "2.targets.json")]
)
def test_a_version_in_the_url_that_is_not_the_document_s_is_refused(client: Client, role: str, path: str) -> None:
    assert client.refresh() == 0
    client.repository.publish(everything=True)
    client.repository.documents[role]["version"] = 8
    client.repository.files[path] = client.repository.publish_role(role)
    assert client.refresh() == 1
    assert client.trusted()[role] == 1


def test_a_timestamp_of_the_same_version_is_discarded_without_an_error(client: Client) -> None:
    assert client.refresh() == 0
    before = client.body("timestamp")
    client.repository.timestamp["x-again"] = 1
    client.repository.publish_role("timestamp", bump=False)
    assert client.refresh() == 0
    assert client.body("timestamp") == before


@pytest.mark.parametrize("path", ["1.snapshot.json", "1.targets.json"])
def test_hashes_of_metadata_are_compared(hashed: Client, path: str) -> None:
    hashed.repository.tamper(path, lambda body: body + b" ")
    assert hashed.refresh() == 1
    hashed.repository.tamper(path, lambda body: body)
    assert hashed.refresh() == 0


@pytest.mark.parametrize("role", ["snapshot", "targets"])
def test_a_hash_that_does_not_fit_is_refused(hashed: Client, role: str) -> None:
    above = {"snapshot": "timestamp", "targets": "snapshot"}[role]
    wrong = {"version": 1, "hashes": {"sha256": 64 * "0"}}
    hashed.repository.documents[above]["meta"] = {f"{role}.json": wrong}
    hashed.repository.publish()
    assert hashed.refresh() == 1
    assert role not in hashed.trusted()


def test_metadata_is_kept_byte_for_byte(client: Client) -> None:
    assert client.refresh() == 0
    for role in ROLES:
        assert client.body(role) == client.repository.current[role]


@pytest.mark.parametrize("role", ROLES)
def test_unknown_members_are_signed_and_mean_nothing(client: Client, role: str) -> None:
    client.repository.documents[role]["x-custom"] = {"b": [1, "ö"], "a": None}
    client.repository.publish()
    assert client.refresh() == 0
    assert client.trusted()[role] == 2


def test_old_members_of_keys_are_part_of_their_ids(client: Client) -> None:
    key = tuf_key("old").with_(extra={"keyid_hash_algorithms": ["sha256", "sha512"]})
    client.repository.set_keys("timestamp", key)
    client.repository.publish(everything=True)
    assert client.refresh() == 0


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("timestamp.json", {"root"}),
        ("1.snapshot.json", {"root", "timestamp"}),
        ("1.targets.json", {"root", "timestamp", "snapshot"}),
    ],
)
def test_missing_metadata_ends_the_update_and_keeps_what_came_before(client: Client, path: str, kept: set[str]) -> None:
    body = client.repository.files.pop(path)
    assert client.refresh() == 1
    assert set(client.trusted()) == kept
    client.repository.files[path] = body
    assert client.refresh() == 0


@pytest.mark.parametrize("role", ROLES)
def test_a_document_of_another_type_is_refused_though_signed(client: Client, role: str) -> None:
    client.repository.edit(role, lambda signed: signed.update(_type="targets" if role != "targets" else "snapshot"))
    client.repository.publish(everything=True)
    assert client.refresh() == 1


def test_time_decides(client: Client) -> None:
    client.repository.expire("timestamp", f"{NOW + timedelta(days=7):%Y-%m-%dT%H:%M:%SZ}")
    client.repository.publish()
    client.now = NOW + timedelta(days=8)
    assert client.refresh() == 1
    client.now = NOW + timedelta(days=6)
    assert client.refresh() == 0


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--nonsense"],
        ["refresh"],
        ["--metadata-dir"],
        ["--metadata-dir", "x"],
        ["--metadata-dir", "x", "init"],
        ["--metadata-dir", "x", "dance"],
        ["--metadata-dir", "x", "refresh", "now"],
    ],
)
def test_a_wrong_call_ends_with_1_too(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 1
    assert capsys.readouterr().err


# -- expiration -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
def test_expired_metadata_is_refused_and_only_a_root_is_kept(client: Client, role: str) -> None:
    assert client.refresh() == 0
    client.repository.expire(role)
    client.repository.publish(everything=True)
    assert client.refresh() == 1
    assert client.trusted()[role] == (2 if role == "root" else 1)


def test_an_expired_local_root_is_no_obstacle(client: Client) -> None:
    client.repository.expire("root")
    expired = client.repository.publish_role("root")
    client.repository.expire("root", EXPIRES)
    client.repository.publish_role("root")
    assert client.init(expired) == 0
    assert client.refresh() == 0
    assert client.trusted()["root"] == 3


def test_an_expired_local_timestamp_still_counts_against_rollback(client: Client) -> None:
    client.repository.expire("timestamp", f"{NOW + timedelta(days=7):%Y-%m-%dT%H:%M:%SZ}")
    client.repository.publish("timestamp")
    assert client.refresh() == 0
    client.now = NOW + timedelta(days=18)
    client.repository.expire("timestamp", EXPIRES)
    client.repository.timestamp["version"] = 0
    client.repository.publish("timestamp")
    assert client.refresh() == 1
    assert client.trusted()["timestamp"] == 2
    client.repository.timestamp["version"] = 2
    client.repository.publish("timestamp")
    assert client.refresh() == 0


# -- file downloads ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["file.txt", "in/a/folder.txt", "with space & ö.txt"])
def test_the_expected_file_is_downloaded_and_nothing_else_is_left(client: Client, path: str) -> None:
    client.add_file(path, b"content")
    client.repository.publish()
    assert client.download(path) == 0
    assert client.downloaded() == [b"content"]


@pytest.mark.parametrize("wrong", [b"CONTENT", b"content and more", b"cont", b""])
def test_another_file_than_the_listed_one_is_refused(client: Client, wrong: bytes) -> None:
    client.add_file("file.txt", b"content")
    client.repository.publish()
    client.server.targets = dict.fromkeys(client.server.targets, wrong)
    assert client.download("file.txt") == 1
    assert client.downloaded() == []


def test_a_changed_file_is_downloaded_anew(client: Client) -> None:
    for content in (b"first", b"second", b"third"):
        client.add_file("file.txt", content)
        client.repository.publish()
        assert client.download("file.txt") == 0
        assert client.downloaded() == [content]


@pytest.mark.parametrize("algorithms", [["sha256"], ["sha512"], ["sha256", "sha512"]])
def test_known_hashes_of_files_are_all_compared(client: Client, algorithms: list[str]) -> None:
    hashes = {name: hashlib.new(name, b"content").hexdigest() for name in algorithms}
    client.add_file("file.txt", b"content", hashes=hashes)
    client.repository.publish()
    assert client.download("file.txt") == 0
    for name in algorithms:
        client.add_file("other.txt", b"content", hashes=hashes | {name: "0" * len(hashes[name])})
        client.repository.publish()
        assert client.download("other.txt") == 1


def test_an_unknown_hash_of_a_file_is_refused(client: Client) -> None:
    client.add_file("file.txt", b"content", hashes={"unknown": "00"})
    client.repository.publish()
    assert client.download("file.txt") == 1


def test_a_file_at_hand_is_not_downloaded_again(client: Client) -> None:
    client.add_file("file.txt", b"content")
    client.repository.publish()
    assert client.download("file.txt") == 0
    assert len(client.server.target_requests) == 1
    assert client.download("file.txt") == 0
    assert client.server.target_requests == []


def test_several_files_are_downloaded_in_order_until_one_fails(client: Client) -> None:
    for name in ("a", "b", "c"):
        client.add_file(name, name.encode())
    client.repository.publish()
    del client.server.targets[f"{hashlib.sha256(b'b').hexdigest()}.b"]
    assert client.download("a", "b", "c") == 1
    assert client.downloaded() == [b"a"]
    assert client.download("a", "c", "nothing") == 1
    assert client.downloaded() == [b"a", b"c"]
    assert client.requests == COLD[:2]


# -- keys -------------------------------------------------------------------------------------------------------------


def test_a_snapshot_below_its_threshold_is_refused(client: Client) -> None:
    client.repository.set_keys("snapshot", *(tuf_key(str(number)) for number in range(5)), threshold=5)
    client.repository.publish()
    assert client.refresh() == 0
    client.repository.signers["snapshot"].pop()
    client.repository.publish(everything=True)
    assert client.refresh() == 1
    assert client.trusted()["snapshot"] == 2


def test_a_threshold_above_the_number_of_keys_is_never_reached(client: Client) -> None:
    client.repository.set_keys("snapshot", tuf_key("a"), tuf_key("b"), threshold=3)
    client.repository.publish()
    assert client.refresh() == 1
    assert "snapshot" not in client.trusted()


def test_a_key_listed_twice_is_refused(client: Client) -> None:
    client.repository.edit("root", lambda signed: signed["roles"]["snapshot"].update(threshold=2))
    client.repository.edit(
        "root", lambda signed: signed["roles"]["snapshot"]["keyids"].append(signed["roles"]["snapshot"]["keyids"][0])
    )
    client.repository.publish(everything=True)
    assert client.refresh() == 1


def test_a_signature_given_twice_is_refused(client: Client) -> None:
    client.repository.sign("snapshot", lambda signatures, _: signatures * 2)
    client.repository.publish(everything=True)
    assert client.refresh() == 1


@pytest.mark.parametrize("kind", ["rsa2048", "p256", "p384", "p521", "ed25519"])
def test_keys_of_every_kind_verify(tmp_path: Path, kind: str) -> None:
    with TufServer(TufRepository(kind=kind)) as server:
        client = Client(server, tmp_path)
        assert client.init() == 0
        assert client.refresh() == 0


@pytest.mark.parametrize("wrong", ["", "00", "not hex"])
def test_a_wrong_signature_beside_enough_good_ones_harms_nobody(client: Client, wrong: str) -> None:
    client.repository.list_keys("snapshot", *client.repository.signers["snapshot"], tuf_key("second"))
    second = {"keyid": tuf_key("second").id, "sig": wrong}
    client.repository.sign("snapshot", lambda signatures, _: [second, *signatures])
    client.repository.publish(everything=True)
    assert client.refresh() == 0


# -- quoting ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["?", "#", "/delegatedrole", "../delegatedrole", "..", ".", "ö ß", "a%2Fb", "a\\b"])
def test_unusual_names_of_roles_lead_nowhere_else(client: Client, role: str) -> None:
    client.repository.add_delegation(role, paths=["*"])
    client.add_file("file", b"content", role=role)
    client.repository.publish()
    assert client.download("file") == 0
    assert client.requests[-1] == f"1.{quote(role, safe='')}.json"
    assert client.trusted()[role] == 1
    assert [file.name for file in client.metadata.iterdir() if file.is_dir()] == []


# -- rollback ---------------------------------------------------------------------------------------------------------


def test_a_timestamp_does_not_go_back(client: Client) -> None:
    client.repository.publish("timestamp")
    assert client.refresh() == 0
    client.repository.timestamp["version"] = 0
    client.repository.publish("timestamp")
    assert client.refresh() == 1
    assert client.trusted()["timestamp"] == 2


@pytest.mark.parametrize("hashes", [False, True])
@pytest.mark.parametrize("role", ["snapshot", "targets"])
def test_snapshot_and_targets_do_not_go_back(tmp_path: Path, role: str, hashes: bool) -> None:
    with TufServer(TufRepository(hashes=hashes)) as server:
        client = Client(server, tmp_path)
        client.repository.publish(everything=True)
        assert client.init() == 0
        assert client.refresh() == 0
        client.repository.documents[role]["version"] = 0
        client.repository.publish(role)
        client.repository.publish()
        assert client.refresh() == 1
        assert client.trusted()[role] == 2


def test_a_role_does_not_vanish_from_the_snapshot(client: Client) -> None:
    client.repository.add_delegation("team")
    client.repository.publish()
    assert client.refresh() == 0
    client.repository.snapshot["meta"] = {"team.json": None}
    client.repository.publish()
    assert client.refresh() == 1
    assert client.trusted()["snapshot"] == 2


@pytest.mark.parametrize(
    ("role", "rotated"),
    [("timestamp", ("timestamp",)), ("snapshot", ("snapshot", "timestamp")), ("targets", ("snapshot",))],
)
def test_new_keys_end_a_fast_forward(client: Client, role: str, rotated: tuple[str, ...]) -> None:
    client.repository.documents[role]["version"] = 1000
    client.repository.publish(everything=True)
    assert client.refresh() == 0
    client.repository.documents[role]["version"] = 1
    client.repository.publish(everything=True)
    assert client.refresh() == 1
    for above in rotated:
        client.repository.rotate(above)
    client.repository.publish(everything=True)
    assert client.refresh() == 0
    assert client.trusted()[role] == 3


# -- delegation graphs ------------------------------------------------------------------------------------------------

Graph = dict[str, list[tuple[str, str, bool]]]


@pytest.mark.parametrize(
    ("graph", "visited"),
    [
        ({"targets": [("A", "*.pub", False)]}, ["A"]),
        ({"targets": [("A", "*.pub", False), ("B", "*.pub", False)]}, ["A", "B"]),
        ({"targets": [("A", "*.pub", False)], "A": [("B", "*.pub", False)]}, ["A", "B"]),
        (
            {
                "targets": [("A", "*.pub", False), ("B", "*.pub", False)],
                "A": [("C", "*.pub", False)],
                "B": [("D", "*.pub", False)],
            },
            ["A", "C", "B", "D"],
        ),
        (
            {
                "targets": [("A", "*.pub", False), ("B", "*.pub", False)],
                "A": [("C", "*.pub", False)],
                "C": [("D", "*.pub", False)],
            },
            ["A", "C", "D", "B"],
        ),
        (
            {
                "targets": [("A", "*.pub", True), ("B", "*.pub", False)],
                "A": [("C", "*.pub", True), ("D", "*.pub", False)],
            },
            ["A", "C"],
        ),
        (
            {
                "targets": [("A", "*.pub", False), ("B", "*.pub", False)],
                "A": [("C", "*.pub", False)],
                "C": [("D", "*.pub", True), ("E", "*.pub", False)],
            },
            ["A", "C", "D"],
        ),
        (
            {
                "targets": [("A", "*.py", False), ("B", "*.pub", False)],
                "A": [("C", "*.pub", False)],
                "B": [("D", "*.pub", False)],
            },
            ["B", "D"],
        ),
        (
            {"targets": [("A", "*.pub", False)], "A": [("B", "*.pub", False)], "B": [("A", "*.pub", False)]},
            ["A", "B"],
        ),
        (
            {
                "targets": [("A", "*.pub", False), ("B", "*.pub", False)],
                "A": [("C", "*.pub", False)],
                "B": [("C", "*.pub", False)],
            },
            ["A", "C", "B"],
        ),
        (
            {
                "targets": [("A", "*.pub", False), ("B", "*.pub", False)],
                "A": [("C", "*.py", False)],
                "B": [("C", "*.pub", False)],
            },
            ["A", "B", "C"],
        ),
    ],
)
def test_roles_are_visited_in_pre_order(client: Client, graph: Graph, visited: list[str]) -> None:
    for delegator, roles in graph.items():
        for role, path, terminating in roles:
            client.repository.add_delegation(role, delegator=delegator, paths=[path], terminating=terminating)
    client.repository.publish()
    assert client.download("missing.pub") == 1
    assert client.requests[4:] == [f"1.{role}.json" for role in visited]
    assert set(client.trusted()) == {*ROLES, *visited}


@pytest.mark.parametrize(
    ("paths", "target", "found"),
    [
        (["*"], "file", True),
        (["*/*"], "a/file", True),
        (["a/*"], "a/file", True),
        (["*"], "a/file", False),
        (["fil?"], "file", True),
        (["fil?"], "fil", False),
        (["FILE"], "file", False),
        (["other", "file"], "file", True),
    ],
)
def test_a_target_is_found_where_it_is_delegated(client: Client, paths: list[str], target: str, found: bool) -> None:
    client.repository.add_delegation("A", paths=paths)
    client.add_file(target, b"content", role="A")
    client.repository.publish()
    assert client.download(target) == (0 if found else 1)
    assert client.downloaded() == ([b"content"] if found else [])


def test_a_target_must_be_delegated_by_every_role_on_the_way(client: Client) -> None:
    client.repository.add_delegation("A", paths=["a/*"])
    client.repository.add_delegation("B", delegator="A", paths=["*/*"])
    client.add_file("b/file", b"content", role="B")
    client.repository.publish()
    assert client.download("b/file") == 1
    assert "B" not in client.trusted()


def test_a_cached_role_is_verified_against_the_delegator_of_the_moment(client: Client) -> None:
    client.repository.add_delegation("A", paths=["*"])
    client.add_file("file", b"content", role="A")
    client.repository.publish()
    assert client.download("file") == 0
    client.repository.list_keys("A", tuf_key("another"))
    client.repository.publish("targets")
    client.repository.publish("snapshot")
    client.repository.publish("timestamp")
    assert client.download("file") == 1


def test_a_role_that_the_snapshot_does_not_list_is_not_asked_for(client: Client) -> None:
    client.repository.add_delegation("A", paths=["*"])
    client.add_file("file", b"content", role="A")
    client.repository.snapshot["meta"] = {"A.json": None}
    client.repository.publish()
    assert client.download("file") == 1
    assert not any("A" in path for path in client.requests)


# -- key rotations ----------------------------------------------------------------------------------------------------

K: Final = tuple(tuf_key(f"rotation {number}") for number in range(12))
Step = tuple[tuple[TufKey, ...], int, tuple[TufKey, ...], int | None]
"""The keys of a root, their threshold, who signs it, and the version that is trusted then (None: refused)."""


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([(K[:1], 1, K[:1], 1), (K[1:2], 1, K[:2], 2), (K[1:2], 1, K[1:2], 3)], id="1 of 1"),
        pytest.param([(K[:1], 1, K[:1], 1), (K[1:2], 1, K[:3], 2), (K[1:2], 1, K[1:4], 3)], id="unused signatures"),
        pytest.param([(K[:1], 1, K[:1], 1), (K[1:2], 1, K[1:2], None)], id="not signed with the old key"),
        pytest.param([(K[:1], 1, K[:1], 1), (K[1:2], 1, K[:1], None)], id="not signed with the new key"),
        pytest.param([(K[:5], 3, K[:3], 1), (K[:5], 3, (K[0], K[3], K[4]), 2), (K[:5], 3, K[2:5], 3)], id="3 of 5"),
        pytest.param([(K[:5], 3, K[:3], 1), ((*K[1:5], K[5]), 3, (K[1], K[2], K[3]), 2)], id="3 of 5, one rotated"),
        pytest.param(
            [(K[:5], 3, K[:3], 1), ((*K[2:5], K[5], K[6]), 3, (K[0], K[1], K[2], K[5], K[6]), 2)], id="3 of 5, two"
        ),
        pytest.param([(K[:5], 3, K[:3], 1), (K[5:10], 3, (*K[:3], *K[5:8]), 2)], id="3 of 5, all rotated"),
        pytest.param([(K[:5], 3, K[:3], 1), (K[5:10], 3, (*K[:3], *K[5:7]), None)], id="not signed with 3 new keys"),
        pytest.param([(K[:5], 3, K[:3], 1), (K[5:10], 3, (*K[:2], *K[5:8]), None)], id="not signed with 3 old keys"),
        pytest.param([(K[:3], 1, K[:1], 1), (K[:3], 2, K[:2], 2)], id="threshold raised"),
        pytest.param([(K[:3], 1, K[:1], 1), (K[:3], 2, K[:1], None)], id="new threshold not reached"),
        pytest.param([(K[:3], 2, K[:2], 1), (K[:3], 1, K[:2], 2), (K[:3], 1, K[2:3], 3)], id="threshold lowered"),
        pytest.param([(K[:3], 2, K[:2], 1), (K[:3], 1, K[:1], None)], id="old threshold not reached"),
        pytest.param([(K[:2], 1, K[:1], 1), (K[:2], 2, K[:2], 2)], id="1 of 2 to 2 of 2"),
    ],
)
def test_roots_follow_by_the_thresholds_of_old_and_new_keys(tmp_path: Path, steps: list[Step]) -> None:
    made = TufRepository(publish=False)
    with TufServer(made) as server:
        client = Client(server, tmp_path)
        for number, (keys, threshold, signers, version) in enumerate(steps):
            made.list_keys("root", *keys, threshold=threshold)
            made.signers["root"] = list(signers)
            made.publish("root")
            if not number:
                made.publish(everything=False)
                assert client.init() == 0
            assert client.refresh() == (0 if version else 1)
            assert client.trusted()["root"] == (version or number)


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
@pytest.mark.parametrize(
    ("rotation", "accepted"),
    [
        ((K[:1], 1, K[:1]), True),
        ((K[:1], 1, ()), False),
        ((K[:5], 3, K[:3]), True),
        ((K[:5], 3, K[2:5]), True),
        ((K[:5], 3, K[:2]), False),
        ((K[:5], 3, (*K[:2], *K[5:9])), False),
    ],
)
def test_other_roles_follow_their_keys_in_root(
    client: Client, role: str, rotation: tuple[tuple[TufKey, ...], int, tuple[TufKey, ...]], accepted: bool
) -> None:
    keys, threshold, signers = rotation
    assert client.refresh() == 0
    client.repository.list_keys(role, *keys, threshold=threshold)
    client.repository.signers[role] = list(signers)
    client.repository.publish(everything=True)
    assert client.refresh() == (0 if accepted else 1)
    assert client.trusted()[role] == (2 if accepted else 1)


# -- what the outside suite leaves to others --------------------------------------------------------------------------


@pytest.mark.parametrize("consistent", [True, False])
def test_targets_are_found_by_prefix_and_in_bins(tmp_path: Path, consistent: bool) -> None:
    with TufServer(TufRepository(consistent=consistent)) as server:
        client = Client(server, tmp_path)
        assert client.init() == 0
        digits = hashlib.sha256(b"file").hexdigest()
        client.repository.add_delegation("prefixed", prefixes=[digits[:3]])
        client.add_file("file", b"content", role="prefixed")
        client.repository.publish()
        assert client.download("file") == 0
        bins = client.repository.add_bins(3)
        client.add_file("file", b"binned", role=bins[int(digits[0], 16) >> 1])
        client.repository.publish()
        assert client.download("file") == 0
        assert client.downloaded() == [b"binned"]


def test_the_program_itself_speaks_the_protocol(client: Client, tmp_path: Path) -> None:
    client.add_file("file.txt", b"content")
    client.repository.publish()
    folder = tmp_path / "another"

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, str(PROGRAM), "--metadata-dir", str(folder), *arguments]
        return subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)

    assert run("init", str(tmp_path / "trusted.json")).returncode == 0
    where = ["--target-dir", str(client.targets), "--target-base-url", client.server.target_url]
    done = run("--metadata-url", client.server.metadata_url, "--target-name", "file.txt", *where, "download")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert client.downloaded() == [b"content"]
    client.repository.replies["timestamp.json"] = Reply(500)
    failed = run("--metadata-url", client.server.metadata_url, "refresh")
    assert failed.returncode == 1
    assert "status 500" in failed.stderr
    assert PROGRAM.stat().st_mode & 0o111
