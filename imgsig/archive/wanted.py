"""What to save: a name, where it is kept, and who can ask for it."""

from dataclasses import dataclass
from typing import final

from imgsig.archive.places import is_name_or_path, is_system
from imgsig.authority import Authority, Settings
from imgsig.errors import UsageError
from imgsig.strictjson import quote


@final
@dataclass(frozen=True, slots=True)
class Wanted:
    """One signed name to save, as one system knows it.

    Raises:
        UsageError: the name, or that of the system, is none.
    """

    name: str
    """The signed name, e.g. ``docker.io/library/alpine``."""
    settings: Settings
    """Where it is kept, and whose signatures what came must bear: a rule's section, or one for first use."""
    authority: Authority
    """The system that answers by `settings`."""

    def __post_init__(self) -> None:
        """Refuse what no archive can hold."""
        if not is_name_or_path(self.name):
            msg = f"{quote(self.name)} is no name that an archive can hold"
            raise UsageError(msg)
        if not is_system(self.settings.system):
            msg = f"{quote(self.settings.system)} is no system that an archive can hold"
            raise UsageError(msg)
