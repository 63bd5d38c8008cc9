"""The state of the code, by git: what a run notes of it, and how to have it again."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from headrace.core.digest import digest_bytes, digest_file
from headrace.errors import CannotReproduce

_SECONDS = 10
PATCH = "code.patch"
UNTRACKED = "untracked.zip"
CODE = (".py", ".pyi", ".yaml", ".yml", ".toml", ".cfg", ".sql", ".json", ".txt")
FILE_AT_MOST = 1 << 20  # bytes of an untracked file that is kept
FILES_AT_MOST = 200


def read_git_state(folder: Path | None = None) -> dict[str, Any]:
    """Return `commit`, `dirty`, `diff` and `untracked`; {} outside a checkout.

    `dirty` counts files that git does not track and does not ignore; `diff` is the digest of the change
    to tracked files. With a folder, the change and untracked code are kept there, as `code.patch` and
    `untracked.zip`; `untracked` is then the digest of the latter, and `left_out` counts what was not kept.
    """
    commit = _git("rev-parse", "HEAD")
    if commit is None:
        return {}
    status = _git("status", "--porcelain", "--untracked-files=normal") or b""
    diff = (_git("diff", "--binary", "HEAD") or b"") if status else b""
    state: dict[str, Any] = {
        "commit": commit.decode().strip(),
        "dirty": bool(status),
        "diff": digest_bytes(diff) if diff else None,
    }
    if folder is not None and status:
        state |= _keep(folder, diff)
    return state


def git_root() -> Path | None:
    """Return the top folder of the checkout; None outside of one."""
    found = _git("rev-parse", "--show-toplevel")
    return None if found is None else Path(found.decode().strip())


@contextmanager
def checked_out(state: dict[str, Any], folder: Path, target: Path) -> Iterator[Path]:
    """Give a worktree with the code of a run, as `read_git_state` kept it in `folder`; removed afterwards.

    Raises `CannotReproduce` naming what is missing.
    """
    commit = state["commit"]
    if _git("cat-file", "-e", f"{commit}^{{commit}}") is None:
        raise CannotReproduce(f"the git commit {commit} is not in this repository: fetch it, then try again")
    patch = folder / PATCH
    if state.get("diff") and (not patch.is_file() or digest_bytes(patch.read_bytes()) != state["diff"]):
        raise CannotReproduce(
            f"the run had changes that are not in commit {commit[:12]}, and {patch} does not hold them"
        )
    _must("worktree", "add", "--detach", "--quiet", str(target), commit)
    try:
        if state.get("diff"):
            _must("-C", str(target), "apply", "--binary", "--whitespace=nowarn", str(patch.absolute()))
        untracked = folder / UNTRACKED
        if untracked.is_file():
            _unpack(untracked, target)
        yield target
    finally:
        if _git("worktree", "remove", "--force", str(target)) is None:
            shutil.rmtree(target, ignore_errors=True)
            _git("worktree", "prune")


def _keep(folder: Path, diff: bytes) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    if diff:
        _write(folder / PATCH, diff)
    root = git_root()
    listed = _git("ls-files", "--others", "--exclude-standard", "-z", "--full-name", ":/") or b""
    names = [name for name in listed.decode("utf-8", "surrogateescape").split("\0") if name]
    kept = [name for name in names if root is not None and _is_code(root / name)][:FILES_AT_MOST]
    if not kept or root is None:
        return {"untracked": None, "left_out": len(names)}
    temporary = folder / f".{UNTRACKED}"
    with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in kept:
            archive.write(root / name, name)
    os.replace(temporary, folder / UNTRACKED)
    return {"untracked": digest_file(folder / UNTRACKED), "left_out": len(names) - len(kept)}


def _is_code(file: Path) -> bool:
    return file.suffix in CODE and file.is_file() and file.stat().st_size <= FILE_AT_MOST


def _unpack(archive: Path, target: Path) -> None:
    """Unpack what this module packed; a name that leads out of the folder is refused."""
    with zipfile.ZipFile(archive) as opened:
        for name in opened.namelist():
            inside = (target / name).resolve()
            if not inside.is_relative_to(target.resolve()):
                raise CannotReproduce(f"{archive} holds {name!r}, which leads out of the checkout")
            inside.parent.mkdir(parents=True, exist_ok=True)
            inside.write_bytes(opened.read(name))


def _write(file: Path, data: bytes) -> None:
    temporary = file.with_name(f".{file.name}")
    temporary.write_bytes(data)
    os.replace(temporary, file)


def _git(*args: str) -> bytes | None:
    try:
        done = subprocess.run(["git", *args], capture_output=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _must(*args: str) -> None:
    done = subprocess.run(["git", *args], capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise CannotReproduce(f"git {args[0]} failed: {said[-1] if said else 'without a word'}")
