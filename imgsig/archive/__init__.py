"""Trust data kept on disk: saved from a server byte for byte, and read back as a source to verify from later."""

from imgsig.archive.capture import CapturedFile, CapturedName
from imgsig.archive.reader import Archive
from imgsig.archive.wanted import Wanted

__all__ = ["Archive", "CapturedFile", "CapturedName", "Wanted"]
