"""The model of TUF 1.x: what is used of ``tuf`` and ``securesystemslib``, imported here and nowhere else.

Importing ``securesystemslib`` puts a handler and a level on its logger, which are the host program's to choose: both
are taken back, unless somebody else has imported it before.

Spec: TUF specification 1.0, section 4, "Document formats".
"""

import logging
from typing import Final

_LOGGER: Final = logging.getLogger("securesystemslib")
_HANDLERS, _LEVEL = tuple(_LOGGER.handlers), _LOGGER.level

import securesystemslib.exceptions  # noqa: E402 - the logger was looked at before
from securesystemslib.signer import Signature, SSlibKey  # type: ignore[attr-defined]  # noqa: E402 - documented names
from tuf.api.exceptions import LengthOrHashMismatchError  # noqa: E402
from tuf.api.metadata import (  # type: ignore[attr-defined]  # noqa: E402 - documented names, but no __all__
    DelegatedRole,
    Delegations,
    MetaFile,
    Role,
    Root,
    Snapshot,
    SuccinctRoles,
    TargetFile,
    Targets,
    Timestamp,
)

_ADDED = tuple(handler for handler in _LOGGER.handlers if handler not in _HANDLERS)
if _ADDED:
    _LOGGER.setLevel(_LEVEL)
    for _handler in _ADDED:
        _LOGGER.removeHandler(_handler)

BadSignatureError: Final = securesystemslib.exceptions.UnverifiedSignatureError
"""What a key raises when a signature does not hold, or cannot be verified at all."""

__all__ = [
    "BadSignatureError",
    "DelegatedRole",
    "Delegations",
    "LengthOrHashMismatchError",
    "MetaFile",
    "Role",
    "Root",
    "SSlibKey",
    "Signature",
    "Snapshot",
    "SuccinctRoles",
    "TargetFile",
    "Targets",
    "Timestamp",
]
