"""The edge to servers: HTTP on `requests`, TLS, proxies, Docker's credentials and its token flow."""
