"""The state of the code, by git: what a run notes of it, and how to have it again."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from headrace.core.digest import digest_bytes, digest_file
from headrace.errors import CannotReproduce

_SECONDS = 10
_DIFF_SECONDS = 60
# What a person's settings may make of a diff (colours, other prefixes, a viewer) cannot be applied.
_DIFF = (
    "-c", "core.quotePath=true", "diff", "--binary", "--no-color", "--no-ext-diff", "--no-textconv",
    "--no-relative", "--no-renames", "--src-prefix=a/", "--dst-prefix=b/", "HEAD",
)  # fmt: skip
_NO_HOOKS = ("-c", "core.hooksPath=/dev/null")
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
    `unread` says why the change is not known, where git did not tell it.
    """
    commit = _git("rev-parse", "HEAD")
    if commit is None:
        return {}
    status = _git("status", "--porcelain", "--untracked-files=normal")
    diff = _git(*_DIFF, seconds=_DIFF_SECONDS) if status != b"" else b""
    state: dict[str, Any] = {
        "commit": commit.decode().strip(),
        "dirty": status != b"",
        "diff": digest_bytes(diff) if diff else None,
    }
    if status is None or diff is None:
        state["unread"] = f"git {'status' if status is None else 'diff'} failed"
    if folder is not None and status:
        state |= _keep(folder, diff or b"")
    return state


def git_root() -> Path | None:
    """Return the top folder of the checkout; None outside of one."""
    found = _git("rev-parse", "--show-toplevel")
    return None if found is None else Path(found.decode().strip())


@contextmanager
def checked_out(
    state: dict[str, Any],
    folder: Path,
    target: Path,
    guard: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Iterator[Path]:
    """Give a worktree with the code of a run, as `read_git_state` kept it in `folder`; removed afterwards.

    The removal is done within `guard`. Branches, the index and files of the checkout stay as they are,
    and no hook of the repository runs. Raises `CannotReproduce` naming what is missing.
    """
    commit = state["commit"]
    if _git("cat-file", "-e", f"{commit}^{{commit}}") is None:
        raise CannotReproduce(f"the git commit {commit} is not in this repository: fetch it, then try again")
    patch, archive = folder / PATCH, folder / UNTRACKED
    _check_kept(state, "diff", patch, f"changes that are not in commit {commit[:12]}")
    _check_kept(state, "untracked", archive, "code files that git did not track")
    try:
        _must(*_NO_HOOKS, "worktree", "add", "--detach", "--quiet", str(target), commit)
        if state.get("diff"):
            _must("-C", str(target), "apply", "--binary", "--whitespace=nowarn", str(patch.absolute()))
        if state.get("untracked"):
            _unpack(archive, target)
        yield target
    finally:
        with guard():
            if _git("worktree", "remove", "--force", str(target), seconds=_DIFF_SECONDS) is None:
                shutil.rmtree(target, ignore_errors=True)
                _git("worktree", "prune")


def _check_kept(state: dict[str, Any], name: str, file: Path, what: str) -> None:
    """Raise `CannotReproduce` where a file that was kept beside the record is gone or another one."""
    wanted = state.get(name)
    if wanted and (not file.is_file() or digest_file(file) != wanted):
        how = "does not hold them (it was changed)" if file.is_file() else "is gone"
        raise CannotReproduce(f"the run had {what}, and {file}, which kept them, {how}")


def _keep(folder: Path, diff: bytes) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    if diff:
        _write(folder / PATCH, diff)
    root = git_root()
    if root is None:
        return {"unread": "git rev-parse failed"}
    names = [name for name in _untracked() if not _is_state((root / name).resolve(), folder.resolve())]
    kept = [name for name in names if _is_code(root / name)][:FILES_AT_MOST]
    if not kept:
        return {"untracked": None, "left_out": len(names)}
    temporary = folder / f".{UNTRACKED}"
    with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in kept:
            archive.write(root / name, name)
    os.replace(temporary, folder / UNTRACKED)
    return {"untracked": digest_file(folder / UNTRACKED), "left_out": len(names) - len(kept)}


def _untracked() -> list[str]:
    listed = _git("ls-files", "--others", "--exclude-standard", "-z", "--full-name", ":/") or b""
    return [name for name in listed.decode("utf-8", "surrogateescape").split("\0") if name]


def _is_state(file: Path, folder: Path) -> bool:
    """Tell whether a file is headrace's own, in the state whose `runs/<id>` is `folder`."""
    return folder.parent.name == "runs" and file.is_relative_to(folder.parents[1])


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


def _git(*args: str, seconds: float = _SECONDS) -> bytes | None:
    try:
        done = subprocess.run(
            ["git", *args],
            capture_output=True,
            timeout=seconds,
            check=False,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},  # to look is no reason to write the index
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _must(*args: str) -> None:
    done = subprocess.run(["git", *args], capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines()
        verb = next(word for word in args if word in ("worktree", "apply"))
        raise CannotReproduce(f"git {verb} failed: {said[-1] if said else 'without a word'}")
