"""Which exact bytes did the people I trust sign under this container image name?

The names below are the whole promised interface. Each is imported when it is first used, so that ``import imgsig``
costs next to nothing.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imgsig.archive import Archive, DockerTrust
    from imgsig.codes import Code, Outcome
    from imgsig.environment import default_verifier, verify
    from imgsig.errors import (
        ImgsigError,
        InconclusiveError,
        InvalidReferenceError,
        NoPolicyError,
        PolicyError,
        RejectedError,
        UsageError,
        VerificationError,
    )
    from imgsig.limits import Limits
    from imgsig.notary.settings import FirstUse, Notary, RootCA, RootKeys
    from imgsig.policy import Policy, Rule
    from imgsig.sections import FromArchive, RootFile
    from imgsig.state import FolderState, MemoryState
    from imgsig.transport import Credential, Proxies, Server, StaticCredentials
    from imgsig.transport.docker_credentials import DockerCredentials
    from imgsig.tuf.settings import RootSha256, Tuf
    from imgsig.verdict import Verdict, VerifiedImage
    from imgsig.verifier import Verifier

__version__ = "0.1.0"

__all__ = [
    "Archive",
    "Code",
    "Credential",
    "DockerCredentials",
    "DockerTrust",
    "FirstUse",
    "FolderState",
    "FromArchive",
    "ImgsigError",
    "InconclusiveError",
    "InvalidReferenceError",
    "Limits",
    "MemoryState",
    "NoPolicyError",
    "Notary",
    "Outcome",
    "Policy",
    "PolicyError",
    "Proxies",
    "RejectedError",
    "RootCA",
    "RootFile",
    "RootKeys",
    "RootSha256",
    "Rule",
    "Server",
    "StaticCredentials",
    "Tuf",
    "UsageError",
    "Verdict",
    "VerificationError",
    "VerifiedImage",
    "Verifier",
    "__version__",
    "default_verifier",
    "verify",
]

_HOMES = {
    "archive": "Archive DockerTrust",
    "codes": "Code Outcome",
    "environment": "default_verifier verify",
    "errors": "ImgsigError InconclusiveError InvalidReferenceError NoPolicyError PolicyError RejectedError UsageError "
    "VerificationError",
    "limits": "Limits",
    "notary.settings": "FirstUse Notary RootCA RootKeys",
    "policy": "Policy Rule",
    "sections": "FromArchive RootFile",
    "state": "FolderState MemoryState",
    "transport": "Credential Proxies Server StaticCredentials",
    "transport.docker_credentials": "DockerCredentials",
    "tuf.settings": "RootSha256 Tuf",
    "verdict": "Verdict VerifiedImage",
    "verifier": "Verifier",
}
"""Where each name comes from: what type checkers see above."""

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Import a public name when it is first used, and keep it (PEP 562)."""
        from importlib import import_module  # noqa: PLC0415 - `import imgsig` stays cheap

        for module, names in _HOMES.items():
            if name in names.split():
                value = globals()[name] = getattr(import_module(f"imgsig.{module}"), name)
                return value
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)

    def __dir__() -> list[str]:
        """Tell the public names."""
        return sorted(__all__)
