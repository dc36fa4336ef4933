"""Repositories of The Update Framework, specification 1.0, whose targets vouch for images."""
