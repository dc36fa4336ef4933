"""Which public key stands for which required signer: one key for one signer."""

from collections.abc import Mapping


def assign_keys(needed: Mapping[str, int], signed: Mapping[str, tuple[str, ...]]) -> str | None:
    """Give each signer as many public keys of its own as it `needed`, out of those that it `signed` with.

    Returns None if that is possible, else the first signer for whom no key is left: one public key stands for one
    signer.
    """
    owner: dict[str, str] = {}

    def give(signer: str, seen: set[str]) -> bool:
        for key in signed[signer]:
            if key in seen or owner.get(key) == signer:
                continue
            seen.add(key)
            if key not in owner or give(owner[key], seen):
                owner[key] = signer
                return True
        return False

    for signer, count in needed.items():
        if not all(give(signer, set()) for _ in range(count)):
            return signer
    return None
