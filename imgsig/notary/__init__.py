"""Docker Content Trust (Notary v1): one TUF repository per image name, the tag is the target."""
