"""Random mutations of a small repository, each reproducible by its seed and number alone."""

import base64
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final, final

from tests.interop.comparison import ACCEPT, Case
from tests.interop.json_mutations import mutate
from tests.interop.stage import Stage
from tests.support.canonical import message_of
from tests.support.repository import NAME, SignedRepository, envelope
from tests.support.root_certificates import CertificateForm, authority, certify, root_key
from tests.support.signing import Json, SigningKey, make_key

_ROLES: Final = ("root", "timestamp", "snapshot", "targets", "targets/releases", "targets/releases/sub")
_ROOT_KINDS: Final = ("p256", "p256", "p384", "rsa2048")
_KINDS: Final = ("p256", "ed25519", "rsa2048", "x509")


@final
@dataclass(frozen=True, slots=True)
class Mutation:
    """One change of one document."""

    number: int
    kind: str
    role: str
    what: str
    case: Case


def mutation(seed: int, number: int, kinds: Sequence[str] = ()) -> Mutation:
    """Return the mutation with this number of the run with this seed, of one of these kinds or of any."""
    random = Random(f"{seed}:{number}")  # noqa: S311 - it chooses tests, not secrets
    start = _start(random)
    role = random.choice(_ROLES)
    kind = random.choice(tuple(kinds) or KINDS_OF_CHANGE)
    said: list[str] = []

    def step(stage: Stage) -> None:
        """Bend the repository; the same each time."""
        said.append(_KINDS_OF_CHANGE[kind](stage.repository, role, Random(f"{seed}:{number}:change")))  # noqa: S311 - it chooses tests, not secrets

    preview = start()
    what = _KINDS_OF_CHANGE[kind](preview, role, Random(f"{seed}:{number}:change"))  # noqa: S311 - it chooses tests, not secrets
    case = Case(f"mutation/{seed}/{number}/{kind}/{role}", (step,), ACCEPT, start=start)
    return Mutation(number, kind, role, what, case)


def _start(random: Random) -> Callable[[], SignedRepository]:
    root, targets, releases = random.choice(_ROOT_KINDS), random.choice(_KINDS), random.choice(_KINDS)
    two = random.random() < 0.3
    chained = random.random() < 0.2

    def start() -> SignedRepository:
        repository = SignedRepository(publish=False)
        chain = (authority("Test CA", "ca"),) if chained else ()
        repository.set_keys("root", root_key(NAME, root, chain=chain))
        keys = [_key(targets, "targets"), *([_key("p256", "second")] if two else [])]
        repository.set_keys("targets", *keys, threshold=len(keys))
        repository.add_delegation("targets/releases", _key(releases, "releases"), tags=("latest", "v1"))
        repository.add_delegation("targets/releases/sub", paths=("v",), tags=("v2",))
        repository.publish()
        return repository

    return start


def _key(kind: str, label: str) -> SigningKey:
    return root_key("anyone", label=label) if kind == "x509" else make_key(kind, label)


def flip_bytes(body: bytes, random: Random) -> bytes:
    """Return `body` with one to three bytes changed, dropped, doubled or inserted."""
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        index = random.randrange(len(body)) if body else 0
        way = random.randrange(6)
        if way == 0:
            body = body[:index] + body[index + 1 :]
        elif way == 1:
            body = body[:index] + body[index : index + 1] + body[index:]
        elif way == 2:
            body = body[:index] + bytes([random.choice(b' \n\t\x00"\\{}[]:,=0aA\xff')]) + body[index:]
        elif way == 3:
            body = body[:index] + bytes([random.randrange(256)]) + body[index + 1 :]
        elif way == 4:
            end = random.randrange(index, min(len(body), index + 40) + 1)
            body = body[:index] + body[end:]
        else:
            body = (
                body[:index] + bytes([body[index] ^ (1 << random.randrange(8))]) + body[index + 1 :] if body else b" "
            )
    return body


def _served_bytes(repository: SignedRepository, role: str, random: Random) -> str:
    changed = flip_bytes(repository.current[role], random)
    repository.tamper(role, lambda _: changed)
    return "bytes as served"


def _hashed_bytes(repository: SignedRepository, role: str, random: Random) -> str:
    changed = flip_bytes(repository.current[role], random)
    repository.alter(role, lambda _: changed)
    return "bytes, hashes follow"


def _unsigned_json(repository: SignedRepository, role: str, random: Random) -> str:
    return _json(repository, role, random, sign=False)


def _signed_json(repository: SignedRepository, role: str, random: Random) -> str:
    return _json(repository, role, random, sign=True)


def _json(repository: SignedRepository, role: str, random: Random, *, sign: bool) -> str:
    """Change the JSON of ``signed``. The signature is over the new text, or over the text as it was."""
    old = repository.message(role)
    new, what = mutate(old, random)
    covered = message_of(new) if sign else old
    repository.rewrite(role, lambda _: new, message=lambda _: covered)
    return what


def _envelope(repository: SignedRepository, role: str, random: Random) -> str:
    """Change the JSON of the whole file, signatures included."""
    new, what = mutate(repository.current[role], random)
    repository.alter(role, lambda _: new)
    return what


def _signatures(repository: SignedRepository, role: str, random: Random) -> str:
    """Change signatures only."""
    said: list[str] = []

    def make(text: bytes, found: list[Json]) -> bytes:
        changed, what = mutate(envelope(b"0", found), random)
        said.append(what)
        return changed.replace(b'"signed":0', b'"signed":' + text, 1)

    state = random.getstate()
    make(b"0", [key.sign(b"") for key in repository.signers[role]])
    random.setstate(state)
    repository.serialise(role, make)
    return said[0]


def _key_material(repository: SignedRepository, role: str, random: Random) -> str:
    """Change the bytes of a public key; its id is computed anew, and signatures bear the new or the old id."""
    role = random.choice(("root", "root", "root", "targets", "targets/releases"))
    key = repository.signers[role][0]
    changed, what = _changed_public(key, random)
    listed = key.with_public(changed)
    used = random.choice((listed, listed, listed.with_signing_id(key.true_id)))
    others = repository.signers[role][1:]
    repository.set_keys(role, used, *others)
    return f"key of {role}: {what}"


def _changed_public(key: SigningKey, random: Random) -> tuple[bytes, str]:
    if not key.public.startswith(b"-----BEGIN"):
        return flip_bytes(key.public, random), "DER"
    if random.random() < 0.3:
        return flip_bytes(key.public, random), "PEM"
    blocks = key.public.split(b"-----END CERTIFICATE-----\n")[:-1]
    index = random.randrange(len(blocks))
    der = base64.b64decode(blocks[index].partition(b"\n")[2])
    lines = textwrap.wrap(base64.b64encode(flip_bytes(der, random)).decode(), 64)
    blocks[index] = b"-----BEGIN CERTIFICATE-----\n" + "\n".join(lines).encode() + b"\n"
    return b"".join(block + b"-----END CERTIFICATE-----\n" for block in blocks), "certificate"


def _certificate_form(repository: SignedRepository, role: str, random: Random) -> str:
    """Make the root's certificate anew, with other contents."""
    names = (
        NAME,
        NAME + "*",
        "*",
        "registry.example.com/*",
        NAME.upper(),
        NAME + "\x00",
        "",
        NAME[:-1],
        NAME[:-1] + "?*",
    )
    oid = random.choice(("", "", "2.5.29.54", "1.2.3.4", "2.5.29.30"))
    form = CertificateForm(
        random.choice(names),
        authority=random.choice((None, None, False, True)),
        critical=oid,
        certificate_signing=random.choice((None, True, False)),
        organization=random.choice(("", "x", "\u00e4", NAME)),
        serial=random.choice((1, 2**64, 2**159 - 1, 127, 128)),
        digest=random.choice(("sha256", "sha384", "sha512")),
    )
    kind = random.choice(("p224", "p256", "p384", "p521", "rsa2048"))
    made = certify(form, kind, "form")
    key = root_key(NAME, kind, "form").with_public(made.pem)
    repository.set_keys("root", key)
    return f"{kind} {form.common_name!r} authority={form.authority} critical={oid}"


_KINDS_OF_CHANGE: Final[dict[str, Callable[[SignedRepository, str, Random], Any]]] = {
    "served-bytes": _served_bytes,
    "hashed-bytes": _hashed_bytes,
    "unsigned-json": _unsigned_json,
    "signed-json": _signed_json,
    "envelope": _envelope,
    "signatures": _signatures,
    "key-material": _key_material,
    "certificate-form": _certificate_form,
}
KINDS_OF_CHANGE: Final = tuple(_KINDS_OF_CHANGE)
