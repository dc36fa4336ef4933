"""Keys and certificates as files, for the real programs: TLS on loopback, signers, root certificates below a CA."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, final

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

FilePrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
KeyKind = Literal["ecdsa", "rsa"]


@final
@dataclass(frozen=True, slots=True)
class KeyPair:
    """A private key and the certificate for it, both as PEM files."""

    certificate: Path
    private_key: Path


@final
class TLSAuthority:
    """A private CA whose certificates are good for loopback."""

    def __init__(self, folder: Path) -> None:
        """Make the CA and write its certificate into `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._authority = trustme.CA()
        self.ca_file = folder / "tls-ca.pem"
        self._authority.cert_pem.write_to_path(str(self.ca_file))

    def issue(self, label: str, *hosts: str) -> KeyPair:
        """Issue a certificate for `hosts`, loopback if none is named; it serves servers and clients."""
        issued = self._authority.issue_cert(*(hosts or ("localhost", "127.0.0.1", "::1")))
        pair = KeyPair(self._folder / f"tls-{label}.crt", self._folder / f"tls-{label}.key")
        issued.private_key_pem.write_to_path(str(pair.private_key))
        pair.certificate.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
        return pair


@final
class RootAuthority:
    """A CA for the certificates of root keys, as ``root-ca`` in a policy names one."""

    def __init__(self, folder: Path, *, label: str = "root-ca") -> None:
        """Make the CA and write its certificate into `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = make_private_key("ecdsa")
        name = _name(label)
        self._certificate = (
            _builder(name, name, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=True), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.ca_file = folder / f"{label}.pem"
        self.ca_file.write_bytes(_pem(self._certificate))

    def issue(self, common_name: str, *, label: str = "root", kind: KeyKind = "ecdsa") -> KeyPair:
        """Issue a certificate for a new key; Notary wants the image name as `common_name`.

        It bears no extended key usage: the client refuses one that is for code signing only.
        """
        key = make_private_key(kind)
        certificate = (
            _builder(_name(common_name), self._certificate.subject, key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        return _write(self._folder, label, key, certificate)


def make_signer(folder: Path, label: str, *, kind: KeyKind = "ecdsa") -> KeyPair:
    """Make the key pair of a delegation signer, or of a token service, with a self-signed certificate."""
    key = make_private_key(kind)
    name = _name(label)
    certificate = (
        _builder(name, name, key)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return _write(folder, f"signer-{label}", key, certificate)


def make_private_key(kind: KeyKind) -> FilePrivateKey:
    """Return a new private key, P-256 or RSA with 2048 bits."""
    if kind == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1())


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(subject: x509.Name, issuer: x509.Name, key: FilePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=3650))
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _write(folder: Path, label: str, key: FilePrivateKey, certificate: x509.Certificate) -> KeyPair:
    pair = KeyPair(folder / f"{label}.crt", folder / f"{label}.key")
    pair.certificate.write_bytes(_pem(certificate))
    pair.private_key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return pair
