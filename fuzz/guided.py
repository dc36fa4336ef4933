"""One target under ``atheris``: ``python -m fuzz.guided NAME CORPUS [libFuzzer options]``. For `fuzz.run`."""

import sys

import atheris  # type: ignore[import-untyped, unused-ignore] # no stubs, and not always there

with atheris.instrument_imports(include=["imgsig", "tomllib"]):
    from fuzz.targets import TARGETS


def main() -> None:
    """Let atheris run the target until it has had enough."""
    name, *rest = sys.argv[1:]
    target = TARGETS[name]

    def once(data: bytes) -> None:
        target.once(data)

    atheris.Setup([sys.argv[0], *rest], once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
