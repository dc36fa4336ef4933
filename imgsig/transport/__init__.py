"""The edge to servers: HTTP on `requests`, TLS, proxies, Docker's credentials and its token flow."""

from imgsig.transport.client import HttpSources
from imgsig.transport.credentials import Credential, Credentials, StaticCredentials
from imgsig.transport.proxies import Proxies
from imgsig.transport.servers import Server

__all__ = ["Credential", "Credentials", "HttpSources", "Proxies", "Server", "StaticCredentials"]
