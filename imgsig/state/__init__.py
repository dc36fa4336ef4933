"""What has been trusted so far, on disk or in memory: one entry for each system and signed name."""

from imgsig.state.folder import FolderState
from imgsig.state.memory import MemoryState

__all__ = ["FolderState", "MemoryState"]
