"""PostgreSQL refuses to run as root: for root, programs and data live where a plain account can."""

import hashlib
import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox.locks import locked
from sandbox.tether import Account

BASE = Path("/var/lib/orders-sandbox")
LINK = "at"
_NAMED = "named"


def account() -> Account | None:
    """The account to run PostgreSQL as, or None when this process is not root."""
    if os.getuid() != 0:
        return None
    entries = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = entries.get("postgres") or entries["nobody"]
    return Account(entry.pw_uid, entry.pw_gid)


@contextmanager
def _locked() -> Iterator[None]:
    BASE.mkdir(mode=0o755, parents=True, exist_ok=True)
    with locked(BASE / "lock", seconds=60):
        yield


def install(package: Path, version: str) -> Path:
    """A copy of the wheel's `package`, made once, that every account can read and run."""
    target = BASE / f"pg-{version}"
    with _locked():
        if not target.exists():
            print(f"Running as root: PostgreSQL gets its own copy and account below {BASE}.")
            _copy(package, target)
    return target / package.name


def _copy(package: Path, target: Path) -> None:
    fresh = Path(tempfile.mkdtemp(dir=BASE))
    for part in (package, package.with_name(f"{package.name}.libs")):
        if part.exists():  # only some platforms' wheels carry shared libraries beside the package
            shutil.copytree(part, fresh / part.name)
    for path in (fresh, *fresh.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    fresh.rename(target)


def make_home(directory: Path, owner: Account) -> None:
    """Let `directory/LINK` lead to where its data are; a deleted `directory` starts again empty."""
    digest = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
    place = BASE / digest
    link = directory / LINK
    with _locked():
        _forget_orphans()
        if not link.is_symlink():
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(mode=0o700)
            os.chown(place, owner.uid, owner.gid)
            (place / _NAMED).write_bytes(os.fsencode(directory))
            link.symlink_to(place)


def _forget_orphans() -> None:
    """Remove the data whose named directory was deleted, so that temporary ones leave nothing."""
    for named in BASE.glob(f"*/{_NAMED}"):
        if not (Path(os.fsdecode(named.read_bytes())) / LINK).is_symlink():
            shutil.rmtree(named.parent)
