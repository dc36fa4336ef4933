"""The four outcomes, and the codes that say why: stable words in verdicts, errors and docs."""

from enum import Enum, StrEnum
from typing import NoReturn, final


@final
class Outcome(Enum):
    """What a caller may do with an image. It has no truth value: compare it, or call ``require()``."""

    VERIFIED = "verified"
    """Every rule was checked and holds: deploy what is pinned."""
    REJECTED = "rejected"
    """It was checked and must not be used."""
    INCONCLUSIVE = "inconclusive"
    """No answer could be reached: fail closed, maybe try again."""
    NO_POLICY = "no_policy"
    """No rule says whom to trust for this name."""

    def __bool__(self) -> NoReturn:
        """Refuse: an outcome that is tested for truth would always be true."""
        msg = "an Outcome has no truth value: compare it with Outcome.VERIFIED"
        raise TypeError(msg)


@final
class Code(StrEnum):
    """Why: one stable word for each cause, with the outcome it leads to and what to do about it."""

    outcome: Outcome
    cause: str
    remedy: str

    def __new__(cls, value: str, outcome: Outcome, cause: str, remedy: str) -> "Code":
        """Make a member whose value is the word and which carries its meaning."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.outcome, member.cause, member.remedy = outcome, cause, remedy
        return member

    OK = "ok", Outcome.VERIFIED, "every check holds", "deploy the pinned reference"

    INVALID_REFERENCE = (
        "invalid_reference", Outcome.REJECTED, "the text is not an image reference",
        "write it as NAME, NAME:TAG or NAME@sha256:HEX",
    )
    NOT_SIGNED = (
        "not_signed", Outcome.REJECTED, "the server has no trust data for this name",
        "ask the publisher whether this name is signed, and on which server",
    )
    TAG_NOT_SIGNED = (
        "tag_not_signed", Outcome.REJECTED, "the name is signed, but not this tag",
        "ask the publisher to sign the tag, or choose a signed one",
    )
    DIGEST_NOT_SIGNED = (
        "digest_not_signed", Outcome.REJECTED, "no signed tag stands for this digest",
        "verify by tag, or ask the publisher to sign a tag for these bytes",
    )
    TAG_DIGEST_CONFLICT = (
        "tag_digest_conflict", Outcome.REJECTED, "the tag is signed for another digest than the one given",
        "drop the digest to get the signed one, or find out why it differs",
    )
    ANCHOR_MISMATCH = (
        "anchor_mismatch", Outcome.REJECTED, "the offered root is not the one that the rule trusts",
        "compare the offered keys with what the publisher tells you by another way, then correct the rule",
    )
    ROOT_CERTIFICATE = (
        "root_certificate", Outcome.REJECTED, "a root certificate is expired, weak or made for another name",
        "ask the publisher to rotate the root key; a renewed root must be trusted anew",
    )
    ROOT_ROTATION = (
        "root_rotation", Outcome.REJECTED, "the new root is not signed by the keys of the one trusted so far",
        "ask the publisher; if the change is true, forget the name's state and trust the new root",
    )
    SIGNATURE = (
        "signature", Outcome.REJECTED, "a signature or the id of a signing key is wrong in a way that nothing excuses",
        "try again later; if it stays, tell the publisher that the metadata is damaged",
    )
    THRESHOLD = (
        "threshold", Outcome.REJECTED, "fewer of a role's keys have signed than its threshold demands",
        "tell the publisher: the role must be signed again with its present keys",
    )
    EXPIRED = (
        "expired", Outcome.REJECTED, "a role's metadata has passed its expiry",
        "tell the publisher to sign the role again, and check this machine's clock",
    )
    ROLLBACK = (
        "rollback", Outcome.REJECTED, "a role went back to an older version than the one already trusted",
        "do not use it; if the publisher did start anew, forget the name's state",
    )
    HASH_MISMATCH = (
        "hash_mismatch", Outcome.REJECTED, "a document's bytes are not the ones that were vouched for",
        "try again later; if it stays, the server or the archive is damaged",
    )
    MALFORMED = (
        "malformed", Outcome.REJECTED, "a document breaks the format",
        "tell the publisher where the metadata breaks",
    )
    SIGNER_MISSING = (
        "signer_missing", Outcome.REJECTED, "a required signer has not signed this tag",
        "ask that signer to sign the tag, or correct the rule",
    )
    SIGNERS_DISAGREE = (
        "signers_disagree", Outcome.REJECTED, "a required signer has signed another digest for this tag",
        "ask the signers which digest is right",
    )
    AUTHORITIES_DISAGREE = (
        "authorities_disagree", Outcome.REJECTED, "two authorities vouch for different digests",
        "ask the publisher which digest is right",
    )
    TRUST_DATA_REMOVED = (
        "trust_data_removed", Outcome.REJECTED, "a name that was signed has no trust data any more",
        "ask the publisher; signatures do not vanish by themselves",
    )
    LIMIT_EXCEEDED = (
        "limit_exceeded", Outcome.REJECTED, "a document is larger than the bound for it",
        "tell the publisher; raise the limit only if the size is legitimate",
    )
    REGISTRY_MISMATCH = (
        "registry_mismatch", Outcome.REJECTED, "the registry's bytes are not the signed ones",
        "do not pull; ask who runs the registry",
    )
    PLATFORM_MISSING = (
        "platform_missing", Outcome.REJECTED, "the signed index has no single manifest for the platform",
        "choose a platform that the image is built for",
    )

    UNREACHABLE = (
        "unreachable", Outcome.INCONCLUSIVE, "the server did not answer or failed",
        "try again; check the address, the network and the proxy",
    )
    THROTTLED = "throttled", Outcome.INCONCLUSIVE, "the server asks to slow down", "try again later, or log in"
    TLS = (
        "tls", Outcome.INCONCLUSIVE, "no trusted TLS connection could be made",
        "name the server's CA file, or have its certificate renewed",
    )
    ACCESS_DENIED = (
        "access_denied", Outcome.INCONCLUSIVE, "the server or its token service refused the credentials, or wants some",
        "log in to the registry with an account that may pull",
    )
    FOREIGN_REALM = (
        "foreign_realm", Outcome.INCONCLUSIVE, "the server sends to a token service that the rule does not list",
        "list the host in the server's token-hosts if it is the right one",
    )
    BAD_RESPONSE = (
        "bad_response", Outcome.INCONCLUSIVE, "the answer is not one that a trust server gives",
        "check that the address is a trust server and that no proxy answers for it",
    )
    MISSING_METADATA = (
        "missing_metadata", Outcome.INCONCLUSIVE, "the server lacks a document that its own metadata names",
        "try again later; if it stays, tell who runs the server",
    )
    DEADLINE = "deadline", Outcome.INCONCLUSIVE, "no answer was reached in time", "try again, or allow more time"
    STALE = (
        "stale", Outcome.INCONCLUSIVE, "the stored trust data is too old or incomplete to stand in for the server",
        "try again when the server is back",
    )
    STATE_UNREADABLE = (
        "state_unreadable", Outcome.INCONCLUSIVE, "the stored trust cannot be read or written",
        "mend the folder's permissions or space; forget the name only if it is damaged beyond repair",
    )
    STATE_CONFLICT = (
        "state_conflict", Outcome.INCONCLUSIVE, "other processes kept changing the stored trust meanwhile",
        "try again",
    )
    ARCHIVE_UNREADABLE = (
        "archive_unreadable", Outcome.INCONCLUSIVE, "the archive, or a document in it, is missing or cannot be read",
        "take another copy of the archive",
    )
    BEFORE_CAPTURE = (
        "before_capture", Outcome.INCONCLUSIVE, "the time asked about lies before the archive was captured",
        "ask about a time at or after the capture",
    )

    NO_POLICY = (
        "no_policy", Outcome.NO_POLICY, "no rule of the policy covers this name",
        "add a rule for the name; imgsig anchor NAME shows what a server offers",
    )
    EXEMPT = "exempt", Outcome.NO_POLICY, "a rule exempts this name from verification", "none: this is the rule's will"
