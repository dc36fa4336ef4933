"""Measure every bound of the design in one run, and print the table: ``python -m benchmarks.run [--quick]``."""

import argparse
import json
import platform
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import requests

from benchmarks.cases import Bench
from benchmarks.measure import Row, table


def rows(bench: Bench) -> Iterator[Row]:
    """Yield the rows of the design's table."""
    yield from bench.warm_one_tag()
    yield from bench.warm_thousand_tags()
    yield from bench.cold_over_tls()
    yield from bench.cold_with_token()
    yield from bench.large_repository()
    yield from bench.many_references()
    yield from bench.imports()
    yield from bench.archive()


def main() -> None:
    """Print the table as Markdown, and write the figures as JSON if a file is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions: to see that it runs")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    arguments = parser.parse_args()
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        bench = Bench(Path(folder), stack, quick=arguments.quick)
        for row in rows(bench):
            found.append(row)
            print(row.markdown(), file=sys.stderr, flush=True)
    machine = f"{platform.machine()}, {platform.python_implementation()} {platform.python_version()}"
    now = datetime.now(UTC)
    print(f"{now:%Y-%m-%d}, {machine}, {bench.cores} cores, requests {requests.__version__}\n")
    print(table(found))
    if arguments.json:
        values = [{name: getattr(row, name) for name in Row.__slots__} for row in found]
        arguments.json.write_text(json.dumps({"date": f"{now:%Y-%m-%d}", "machine": machine, "rows": values}, indent=1))
    sys.exit(0 if all(row.met for row in found) else 1)


if __name__ == "__main__":
    main()
