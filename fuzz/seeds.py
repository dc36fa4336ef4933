"""Good inputs to begin with, of every kind, made by the code of the tests."""

import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from imgsig.state.record import Record, encode_record
from tests.support.archives import save
from tests.support.repository import BASE_ROLES, SignedRepository
from tests.support.root_certificates import CertificateForm, authority, certify, root_key
from tests.support.signing import make_key
from tests.support.trusts import NAME, SYSTEM, trust_at
from tests.support.tuf_repository import TufRepository

KINDS = ("p256", "p384", "p521", "rsa2048", "ed25519")
ROOT = Path(__file__).resolve().parents[1]
HEX = "0123456789abcdef" * 4


@cache
def repository() -> SignedRepository:
    """Return a repository with every kind of key, a threshold of two, and nested delegations."""
    made = SignedRepository(kinds={"root": "rsa2048", "timestamp": "ed25519"}, publish=False)
    made.set_keys("targets", *[make_key(kind, f"targets {kind}") for kind in KINDS], threshold=2)
    made.add_delegation("targets/releases", root_key("anyone", label="releases"), tags=("1.0",), paths=("", "v"))
    made.add_delegation("targets/releases/a", make_key("ed25519", "a"), paths=("v1",), tags=("v1.0",))
    made.add_target("custom", custom={"a": [1, None, True, "\u00e9\U0001f600"]})
    made.publish()
    return made


def documents(role: str) -> Iterator[bytes]:
    """Yield documents of one role of Docker Content Trust."""
    yield repository().current[role]
    if role in BASE_ROLES:
        yield SignedRepository().current[role]
    else:
        yield repository().current["targets/releases/a"]


def large_targets() -> Iterator[bytes]:
    """Yield documents of targets that are large enough to be read in the quick way."""
    made = SignedRepository(tags=tuple(f"v{number:04}" for number in range(600)))
    yield made.current["targets"]
    for number in range(600):
        made.targets["targets"][f"v{number:04}"]["hashes"].pop("sha512", None)
    made.add_target("\u00e9")
    made.publish()
    yield made.current["targets"]


def tuf_documents(role: str) -> Iterator[bytes]:
    """Yield documents of one role of TUF 1.x."""
    made = TufRepository()
    yield from (body for path, body in made.files.items() if role in path)


def pems() -> Iterator[bytes]:
    """Yield keys and certificates in PEM."""
    ca = authority("A CA", "ca")
    for kind in ("p256", "rsa2048"):
        yield root_key("name", kind, chain=(ca,)).public
    yield ca.pem


def ders() -> Iterator[bytes]:
    """Yield certificates in DER."""
    for kind in ("p256", "p384", "rsa2048", "ed25519"):
        yield certify(CertificateForm("name", organization="o", usages=()), kind, "der").der
    yield authority("A CA", "ca").der


def public_keys() -> Iterator[bytes]:
    """Yield key types with public keys, a zero byte between."""
    for kind in ("p224", *KINDS):
        key = make_key(kind)
        yield key.keytype.encode() + b"\0" + key.public
    yield b"ecdsa-x509\0" + root_key("name").public


def captures() -> Iterator[bytes]:
    """Yield what archives say of themselves."""
    yield (ROOT / "fixtures" / "app" / "capture.json").read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        yield (save(Path(folder) / "archive", SignedRepository()).path / "capture.json").read_bytes()


def records() -> Iterator[bytes]:
    """Yield trust records."""
    yield encode_record(Record(SYSTEM, NAME, "0123456789abcdef" * 2, trust_at(1), {"targets": HEX}))


def policies() -> Iterator[bytes]:
    """Yield policies."""
    yield f"""version = 1

[[rule]]
names = ["registry.example.com/team/**", "docker.io/library/*"]
[rule.notary]
server = "https://notary.example.com:4443/path"
root-keys = ["{HEX}"]
signers = ["alice", "bob/carol"]
max-stale-seconds = 3600

[[rule]]
names = ["mirror.example.com/**"]
signed-as = "docker.io/**"
[rule.notary]
first-use = true

[[rule]]
names = ["**"]
exempt = "because \\u00e9"
""".encode()
    yield (ROOT / "fixtures" / "policy.toml").read_bytes()


def docker_configs() -> Iterator[bytes]:
    """Yield Docker configurations."""
    yield (
        b'{"auths":{"https://index.docker.io/v1/":{"auth":"dXNlcjpwYXNzd29yZA=="},"r.example.com":{"username":"u",'
        b'"password":"p","identitytoken":"t"}},"credHelpers":{"gcr.io":"gcr"},"credsStore":"desktop","HttpHeaders":{}}'
    )


REFERENCES = (
    b"alpine", b"docker.io/library/alpine:3.20", b"localhost:5000/a/b_c--d.e:tag@sha256:" + HEX.encode(),
    b"[2001:db8::1]:5000/x", b"UPPER/x:latest", b"index.docker.io/x", HEX.encode(), b"a@sha512:" + HEX.encode() * 2,
)  # fmt: skip
CHALLENGES = (
    b'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull"',
    b'Basic realm="x\\"y"\nBearer realm=https://x.example.com', b"Negotiate",
)  # fmt: skip
URLS = (
    b"https://user@[::1]:443/a/%2e%2e/b?x=y#z", b"http://xn--nxasmq6b.example.com:80", b"https://127.0.0.1/",
    b"HTTPS://A.b",
)  # fmt: skip
TIMES = (
    b"2027-01-01T00:00:00Z", b"2027-02-29T23:59:60.123456789+23:59", b"0000-12-31T00:00:00-08:00",
    b"9999-12-31T23:59:59-23:59",
)  # fmt: skip
PINS = (HEX.encode(), b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA" + b"A" * 43 + b"=\n-----END PUBLIC KEY-----\n")
