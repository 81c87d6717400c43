"""`python -m conformance [SUITE…]`: start the product, run the suites against it, stop it all."""

import json
import os
import shutil
import signal
import subprocess
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from api.processes import free_port, wait_until_ready
from api.viewer import Viewer, issue_token, read_scope, read_token_key
from bench.scratch import Scratch, projected, recorded, scratch
from domain.vocabulary import Role

FOLDER = Path(__file__).parent
SCHEMATHESIS = FOLDER / "schemathesis"
SUITES = sorted(
    [path.name.removesuffix(".test.js") for path in FOLDER.glob("*.test.js")] + [SCHEMATHESIS.name]
)
EXAMPLES = 10  # operations that schemathesis makes up for each root field and viewer
INCIDENTS = 500
READY_SECONDS = 60.0
VALID = timedelta(hours=1)


def main(
    names: Annotated[list[str] | None, typer.Argument(help=f"Of {', '.join(SUITES)}.")] = None,
) -> None:
    """Run all suites, or those named."""
    unknown = set(names or ()) - set(SUITES)
    if unknown:
        raise typer.BadParameter(f"no such suite: {', '.join(sorted(unknown))}")
    if not shutil.which("node") or not (FOLDER / "node_modules").is_dir():
        raise typer.BadParameter("Node and the pinned packages are missing: make conformance")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # both stop all, in order
    with scratch(large=False) as ground:
        url = ground.filled(INCIDENTS).url
        port = free_port()
        address = f"http://127.0.0.1:{port}"
        with ground.running(url, "projector"), ground.running(url, "api", port=port):
            wait_until_told(url)
            if not wait_until_ready(address, threading.Event(), READY_SECONDS):
                raise SystemExit("The product did not become ready.")
            code = run(names or SUITES, address, ground)
    raise typer.Exit(code)


def run(names: list[str], address: str, ground: Scratch) -> int:
    """0 if every test of these suites passed."""
    bearers, ours = tokens(ground), SCHEMATHESIS.name
    tests = [name for name in names if name != ours]
    code = run_tests(tests, address, bearers, ground) if tests else 0
    viewers = [None, bearers["monitor"], bearers["overseer"]] if ours in names else []
    return max([code, *(attack(address, viewer) for viewer in viewers)])


def attack(address: str, token: str | None) -> int:
    """The exit code of schemathesis: whatever is asked, no failure, and every error has a code."""
    command = [str(SCHEMATHESIS / ".venv/bin/schemathesis"), "run", f"{address}/graphql"]
    options = ["--phases=fuzzing", "--checks=errors_are_coded", f"--max-examples={EXAMPLES}"]
    options += ["--continue-on-failure", "--warnings=off", "--request-timeout=80"]
    bearer = [f"--header=Authorization: Bearer {token}"] if token else []
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "checks"}
    return subprocess.run(
        [*command, *options, *bearer], check=False, cwd=SCHEMATHESIS, env=environment
    ).returncode


def run_tests(names: list[str], address: str, bearers: dict[str, str], ground: Scratch) -> int:
    """The exit code of node's test runner."""
    environment = {
        **os.environ,
        "ADDRESS": address,
        "TOKENS": json.dumps(bearers),
        "TSUR_HOME": str(ground.home),  # where `tsur token` finds the key
    }
    files = [f"{name}.test.js" for name in names]
    options = ["--test", "--test-concurrency=2", "--test-timeout=180000"]
    options.append("--test-reporter=./report.js")
    command = ["node", *options, *files]
    return subprocess.run(command, check=False, cwd=FOLDER, env=environment).returncode


def tokens(ground: Scratch) -> dict[str, str]:
    """By what its bearer is: who may read all, who works in one region, and who may no more."""
    key, now = read_token_key(ground.home), datetime.now(UTC)

    def token(role: Role, scope: str, *, since: datetime = now) -> str:
        viewer = Viewer("conformance", role, read_scope(scope, ground.catalogue), True)
        return issue_token(key, viewer, now=since, valid=VALID)

    return {
        "overseer": token(Role.FEDERAL_OVERSEER, "country"),
        "monitor": token(Role.MONITOR, "63"),
        "expired": token(Role.MONITOR, "63", since=now - 2 * VALID),
    }


def wait_until_told(url: str) -> None:
    """Until the read models have all that was recorded."""
    deadline = time.monotonic() + READY_SECONDS
    while projected(url) < recorded(url):
        if time.monotonic() > deadline:
            raise SystemExit("The read models did not catch up.")
        time.sleep(0.1)


if __name__ == "__main__":
    typer.run(main)
