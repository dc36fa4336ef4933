"""Signature vectors of others: Notary's own tests and Wycheproof."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from imgsig.notary.keys import parse_public_key
from imgsig.notary.metadata import Key

WYCHEPROOF = {
    "ecdsa_secp256r1_sha256_p1363_test.json": ("ecdsa", "ecdsa", 262),
    "rsa_signature_2048_sha256_test.json": ("rsa", "rsapkcs1v15", 259),
    "ed25519_test.json": ("ed25519", "eddsa", 151),
}


def _public(keytype: str, group: dict[str, Any]) -> bytes:
    """Return the key as Notary writes it: the bare 32 bytes, or the DER."""
    return bytes.fromhex(group["publicKey"]["pk"] if keytype == "ed25519" else group["publicKeyDer"])


def test_every_vector_of_notary_agrees(corpus: Path) -> None:
    vectors = json.loads((corpus / "notary-verifier-vectors" / "vectors.json").read_bytes())["vectors"]
    assert len(vectors) == 10
    for vector in vectors:
        key = parse_public_key(Key(vector["key"]["keytype"], base64.b64decode(vector["key"]["keyval"]["public"])))
        signature, message = base64.b64decode(vector["sig_b64"]), base64.b64decode(vector["message_b64"])
        assert key.verifies(vector["method"], signature, message) is (vector["expect"] == "valid"), vector["name"]


@pytest.mark.parametrize("file", WYCHEPROOF)
def test_every_vector_of_wycheproof_agrees(corpus: Path, file: str) -> None:
    keytype, method, expected_count = WYCHEPROOF[file]
    groups = json.loads((corpus / "wycheproof" / file).read_bytes())["testGroups"]
    count = 0
    for group in groups:
        key = parse_public_key(Key(keytype, _public(keytype, group)))
        assert key.native is not None
        for test in group["tests"]:
            verified = key.verifies(method, bytes.fromhex(test["sig"]), bytes.fromhex(test["msg"]))
            # "acceptable" leaves the choice; the strict one is taken.
            assert verified is (test["result"] == "valid"), test["tcId"]
            count += 1
    assert count == expected_count
