"""Trust data kept on disk: saved from a server byte for byte, and read back as a source to verify from later."""

from imgsig.archive.capture import CapturedFile, CapturedName
from imgsig.archive.docker_trust import DockerTrust
from imgsig.archive.places import PARTIAL
from imgsig.archive.reader import Archive
from imgsig.archive.wanted import Wanted

__all__ = ["PARTIAL", "Archive", "CapturedFile", "CapturedName", "DockerTrust", "Wanted"]
