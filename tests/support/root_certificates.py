"""Certificates for root keys: leaves, intermediates, authorities, and their bundles."""

import base64
import subprocess
import tempfile
import textwrap
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final, final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from tests.support.signing import PrivateKey, SigningKey, private_key

NOT_BEFORE: Final = datetime(2020, 1, 1, tzinfo=UTC)
NOT_AFTER: Final = datetime(2120, 1, 1, tzinfo=UTC)
CODE_SIGNING: Final = ExtendedKeyUsageOID.CODE_SIGNING
SERVER_AUTH: Final = ExtendedKeyUsageOID.SERVER_AUTH
CLIENT_AUTH: Final = ExtendedKeyUsageOID.CLIENT_AUTH
ANY_USAGE: Final = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE


@final
@dataclass(frozen=True, slots=True)
class CertificateForm:
    """What a certificate says; the fields are the bends."""

    common_name: str | None
    not_before: datetime = NOT_BEFORE
    not_after: datetime = NOT_AFTER
    authority: bool | None = None
    """CA:true, CA:false, or no basic constraints at all (None)."""
    path_length: int | None = None
    usages: tuple[ObjectIdentifier, ...] = ()
    """Extended key usages; empty for no such extension."""
    certificate_signing: bool | None = None
    """The keyCertSign bit of a key usage extension; None for no such extension."""
    critical: str = ""
    """The object identifier of an unknown critical extension; empty for none."""
    name_constraint: str = ""
    """A DNS name to which a critical name constraints extension confines; empty for none."""
    organization: str = ""
    serial: int = 1
    digest: str = "sha256"


@final
@dataclass(frozen=True, slots=True)
class Certified:
    """A private key with a certificate for it."""

    form: CertificateForm
    private: PrivateKey
    der: bytes

    @property
    def pem(self) -> bytes:
        """The certificate as Go writes it."""
        return x509.load_der_x509_certificate(self.der).public_bytes(serialization.Encoding.PEM)


@cache
def certify(form: CertificateForm, kind: str = "p256", label: str = "", issuer: Certified | None = None) -> Certified:
    """Return the certificate of a labelled key, signed by `issuer` or by itself; the same one each time."""
    private = private_key(kind, label)
    signer, issuer_form = (private, form) if issuer is None else (issuer.private, issuer.form)
    if form.digest == "sha1":
        return Certified(form, private, _sha1_by_openssl(form, private))
    public = private.public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(form))
        .issuer_name(_name(issuer_form))
        .public_key(public)
        .serial_number(form.serial)
        .not_valid_before(form.not_before)
        .not_valid_after(form.not_after)
    )
    for extension, critical in _extensions(form):
        builder = builder.add_extension(extension, critical=critical)
    if isinstance(signer, ed25519.Ed25519PrivateKey):
        signed = builder.sign(signer, None)
    elif isinstance(signer, ec.EllipticCurvePrivateKey):
        signed = builder.sign(signer, _digest(form), ecdsa_deterministic=True)
    else:
        signed = builder.sign(signer, _digest(form))
    return Certified(form, private, signed.public_bytes(serialization.Encoding.DER))


def root_key(
    name: str,
    kind: str = "p256",
    label: str = "root",
    *,
    form: CertificateForm | None = None,
    chain: tuple[Certified, ...] = (),
) -> SigningKey:
    """Return a root key for a repository's name: a certificate, followed and issued by `chain`, leaf's issuer first."""
    form = form or CertificateForm(common_name=name)
    leaf = certify(form, kind, label, chain[0] if chain else None)
    return bundle(leaf, *chain)


def bundle(leaf: Certified, *others: Certified) -> SigningKey:
    """Return a key whose public value is the PEM text of `leaf` and `others`, in this order."""
    keytype, method = ("rsa-x509", "rsapss") if isinstance(leaf.private, rsa.RSAPrivateKey) else ("ecdsa-x509", "ecdsa")
    return SigningKey(keytype, b"".join(certified.pem for certified in (leaf, *others)), leaf.private, method)


def authority(
    common_name: str,
    label: str,
    issuer: Certified | None = None,
    kind: str = "p256",
    *,
    form: CertificateForm | None = None,
) -> Certified:
    """Return a CA certificate; `form` overrides everything but the name."""
    form = form or CertificateForm(common_name, authority=True, certificate_signing=True)
    return certify(replace(form, common_name=common_name), kind, label, issuer)


def damaged(key: SigningKey) -> SigningKey:
    """Return a one-certificate root key in which the certificate's own signature is wrong."""
    return patched(key, lambda der: der[:-1] + bytes([der[-1] ^ 1]))


def patched(key: SigningKey, change: Callable[[bytes], bytes]) -> SigningKey:
    """Return a one-certificate root key with other DER, which need not be a certificate any more."""
    body = b"".join(key.public.splitlines()[1:-1])
    lines = textwrap.wrap(base64.b64encode(change(base64.b64decode(body))).decode(), 64)
    pem = "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])
    return key.with_public(pem.encode())


def _name(form: CertificateForm) -> x509.Name:
    attributes = []
    if form.organization:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, form.organization))
    if form.common_name is not None:
        with warnings.catch_warnings(action="ignore"):
            attributes.append(x509.NameAttribute(NameOID.COMMON_NAME, form.common_name, _validate=False))
    return x509.Name(attributes)


def _digest(form: CertificateForm) -> hashes.SHA256 | hashes.SHA384 | hashes.SHA512:
    if form.digest == "sha384":
        return hashes.SHA384()
    return hashes.SHA512() if form.digest == "sha512" else hashes.SHA256()


def _extensions(form: CertificateForm) -> list[tuple[x509.ExtensionType, bool]]:
    answer: list[tuple[x509.ExtensionType, bool]] = []
    if form.authority is not None:
        answer.append((x509.BasicConstraints(ca=form.authority, path_length=form.path_length), True))
    if form.usages:
        answer.append((x509.ExtendedKeyUsage(form.usages), False))
    if form.certificate_signing is not None:
        usage = x509.KeyUsage(
            digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
            key_agreement=False, key_cert_sign=form.certificate_signing, crl_sign=False, encipher_only=False,
            decipher_only=False,
        )
        answer.append((usage, True))
    if form.name_constraint:
        answer.append((x509.NameConstraints([x509.DNSName(form.name_constraint)], None), True))
    if form.critical:
        answer.append((x509.UnrecognizedExtension(x509.ObjectIdentifier(form.critical), b"\x05\x00"), True))
    return answer


def _sha1_by_openssl(form: CertificateForm, private: PrivateKey) -> bytes:
    """Return a certificate signed by its own key over SHA-1, which `cryptography` rightly cannot make."""
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with tempfile.TemporaryDirectory() as folder:
        key = Path(folder, "key.pem")
        key.write_bytes(pem)
        basic = "" if form.authority is None else f"basicConstraints=CA:{str(form.authority).upper()}\n"
        configuration = Path(folder, "request.cnf")
        sections = f"[req]\ndistinguished_name=name\nx509_extensions=ext\n[name]\n[ext]\n{basic}"
        configuration.write_text(sections, "ascii")
        subject = "/CN=" + (form.common_name or "").replace("/", "\\/")
        command = ["openssl", "req", "-x509", "-new", "-sha1", "-config", str(configuration), "-key", str(key)]
        command += ["-subj", subject, "-days", "20000", "-set_serial", str(form.serial), "-outform", "DER"]
        return subprocess.run(command, check=True, capture_output=True).stdout
