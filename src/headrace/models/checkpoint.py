"""Checkpoints of a training: one safetensors file, replaced whole after each epoch, never unpickled."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

FORMAT = 1


@dataclass(slots=True, kw_only=True)
class Progress:
    """How far a training has come: what an interrupted one needs to go on as if nothing had been.

    `epoch` counts finished epochs, `best_epoch` is the one with the lowest validation loss, and
    `history` has one entry an epoch. Random numbers are not here: each epoch seeds its own.
    """

    epoch: int = 0
    best_epoch: int = 0
    best_loss: float = float("inf")
    scale: dict[str, Any] = field(default_factory=dict)  # the loss scaler's state, for fp16 only
    history: list[dict[str, float]] = field(default_factory=list)


def save_checkpoint(
    path: Path,
    fingerprint: str,
    progress: Progress,
    module: torch.nn.Module,
    best: dict[str, torch.Tensor],
    optimizer: torch.optim.Optimizer,
) -> None:
    """Replace the checkpoint in one step: whoever dies meanwhile leaves the old one or the new one."""
    from safetensors.torch import save_file

    tensors = {f"module.{name}": value for name, value in module.state_dict().items()}
    tensors |= {f"best.{name}": value for name, value in best.items()}
    for at, values in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{at}.{name}": value for name, value in values.items()}
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    head = {"format": str(FORMAT), "fingerprint": fingerprint, "progress": json.dumps(asdict(progress))}
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_suffix(f".{os.getpid()}.tmp")
    save_file(tensors, written, metadata=head)
    os.replace(written, path)


def load_checkpoint(
    path: Path, fingerprint: str, module: torch.nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[Progress, dict[str, torch.Tensor]] | None:
    """Put a checkpoint's state into module and optimizer; return its progress and best weights.

    None where there is no checkpoint, or it is damaged, or of another training: then nothing changed.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            head = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no dict
        if head.get("format") != str(FORMAT) or head.get("fingerprint") != fingerprint:
            log.warning("%s is of another training: starting at the first epoch", path)
            return None
        progress = Progress(**json.loads(head["progress"]))
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        log.warning("%s is damaged (%s): starting at the first epoch", path, error)
        return None
    module.load_state_dict(_under(tensors, "module."))
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in _under(tensors, "optimizer.").items():
        at, _, key = name.partition(".")
        state.setdefault(int(at), {})[key] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    return progress, _under(tensors, "best.")


def _under(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
