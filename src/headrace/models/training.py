"""The training loop of the torch models: epochs, early stopping, checkpoints, mixed precision."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.errors import StageError
from headrace.models.checkpoint import Progress, load_checkpoint, save_checkpoint

if TYPE_CHECKING:
    import torch

    from headrace.core.ports import Context

CHECKPOINT = "epoch.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to train. `device` and `precision` are settled: `cpu`, `cuda`; `fp32`, `bf16`, `fp16`.

    `threads` are those of one operation on a CPU. One is the fastest for small modules, and makes
    results independent of the number of cores.
    """

    lr: float
    weight_decay: float
    batch_size: int
    max_epochs: int
    patience: int
    seed: int
    device: str
    precision: str
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Features `(n_rows, n_features)` as float32 and class numbers `(n_rows,)`, on the device."""

    x: torch.Tensor
    y: torch.Tensor


def settle_device(device: str) -> str:
    """Return a real device for `auto`: the GPU where torch sees one."""
    import torch

    if device != "auto":
        return device
    return "cuda" if torch.cuda.is_available() else "cpu"


def settle_precision(precision: str, device: str) -> str:
    """Return a real precision for `auto`: bf16 on GPUs that have it, fp16 on others, fp32 on a CPU."""
    import torch

    if precision not in ("auto", "fp32", "bf16", "fp16"):
        raise StageError(f"model.precision is {precision!r}; use auto, fp32, bf16 or fp16")
    if precision != "auto":
        return precision
    if not device.startswith("cuda"):
        return "fp32"
    return "bf16" if torch.cuda.is_bf16_supported() else "fp16"


def train_module(
    module: torch.nn.Module, train: Examples, valid: Examples, recipe: Recipe, context: Context | None
) -> list[dict[str, float]]:
    """Train until `max_epochs`, or until `patience` epochs bring no better validation loss.

    With a context, epochs are shown and logged, and a training that was interrupted goes on after
    its last finished epoch. On one CPU it then equals one that was not, bit for bit: every epoch
    draws its random numbers from (seed, epoch), and the learning rate follows from the epoch alone.

    Returns:
        One entry an epoch. The module holds the weights of the best epoch.

    Raises:
        StageError: The loss is not finite; the message names the epoch.
    """
    import torch

    optimizer = torch.optim.AdamW(module.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay)
    path = Path(context.workdir) / CHECKPOINT if context else None
    fingerprint = _fingerprint(module, train, recipe)
    found = load_checkpoint(path, fingerprint, module, optimizer) if path else None
    progress, best = found or (Progress(), _copy(module))
    scaler = torch.amp.GradScaler(recipe.device.partition(":")[0], enabled=recipe.precision == "fp16")
    if progress.scale:
        scaler.load_state_dict(progress.scale)
    devices = [torch.cuda.current_device()] if recipe.device.startswith("cuda") else []
    # The caller's own random numbers must not depend on whether a training ran.
    with (
        torch.random.fork_rng(devices),
        _threads(recipe.threads),
        _bar(context, progress.epoch, recipe.max_epochs) as advance,
    ):
        while progress.epoch < recipe.max_epochs and not _stalled(progress, recipe):
            entry = _epoch(module, optimizer, scaler, train, valid, recipe, progress.epoch)
            progress.epoch += 1
            progress.history.append(entry)
            progress.scale = scaler.state_dict()
            if entry["valid_loss"] < progress.best_loss:
                progress.best_loss, progress.best_epoch, best = (
                    entry["valid_loss"],
                    progress.epoch,
                    _copy(module),
                )
            if path:
                save_checkpoint(path, fingerprint, progress, module, best, optimizer)
            _tell(context, progress.epoch, entry)
            advance(f"loss {entry['train_loss']:.4f} valid {entry['valid_loss']:.4f}")
    module.load_state_dict(best)
    return progress.history


def _epoch(
    module: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    train: Examples,
    valid: Examples,
    recipe: Recipe,
    epoch: int,
) -> dict[str, float]:
    import torch

    torch.manual_seed(recipe.seed * 1_000_003 + epoch)
    for group in optimizer.param_groups:
        group["lr"] = recipe.lr * 0.5 * (1 + math.cos(math.pi * epoch / recipe.max_epochs))
    loss_of = torch.nn.functional.cross_entropy
    total = torch.zeros((), device=train.x.device)
    module.train()
    # Slicing tensors in memory is three to four times as fast as a DataLoader.
    for rows in torch.randperm(len(train.x)).to(train.x.device).split(recipe.batch_size):
        optimizer.zero_grad(set_to_none=True)
        with _autocast(recipe):
            loss = loss_of(module(train.x[rows]), train.y[rows])
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        total += loss.detach().float() * len(rows)
    scores = predict_scores(module, valid.x, recipe.batch_size)
    right = (scores.argmax(dim=1) == valid.y).float().mean()
    entry = {
        "train_loss": float(total) / len(train.x),
        "valid_loss": float(loss_of(scores, valid.y)),
        "valid_accuracy": float(right),
        "lr": optimizer.param_groups[0]["lr"],
    }
    bad = [name for name in ("train_loss", "valid_loss") if not math.isfinite(entry[name])]
    if bad:
        raise StageError(
            f"the loss is not finite in epoch {epoch + 1}: {bad[0]} is {entry[bad[0]]};"
            f" try a lower model.lr (found {recipe.lr:g})"
        )
    return entry


def predict_scores(module: torch.nn.Module, x: torch.Tensor, batch_size: int) -> torch.Tensor:
    """Return logits `(n_rows, n_classes)` in full precision: predictions do not depend on autocast."""
    import torch

    module.eval()
    with torch.inference_mode():
        return torch.cat([module(part) for part in x.split(max(batch_size, 1024))])


def _autocast(recipe: Recipe) -> AbstractContextManager[Any]:
    import torch

    if recipe.precision == "fp32":
        return nullcontext()
    dtype = torch.bfloat16 if recipe.precision == "bf16" else torch.float16
    return torch.autocast(recipe.device.partition(":")[0], dtype=dtype)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _stalled(progress: Progress, recipe: Recipe) -> bool:
    return progress.epoch - progress.best_epoch >= recipe.patience > 0


def _copy(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def _bar(context: Context | None, done: int, total: int) -> AbstractContextManager[Any]:
    if context is None:
        return nullcontext(lambda _note: None)
    resumed = f", resumed after {done}" if done else ""
    return context.progress(f"epochs{resumed}", total - done)


def _tell(context: Context | None, epoch: int, entry: dict[str, float]) -> None:
    if context is not None:
        context.log(entry, step=epoch)
        context.report(epoch, entry["valid_accuracy"])


def _fingerprint(module: torch.nn.Module, train: Examples, recipe: Recipe) -> str:
    """Name the training that a checkpoint belongs to: its recipe, its module and its data."""
    digest = hashlib.sha256(json.dumps([asdict(recipe), str(module)], sort_keys=True).encode())
    digest.update(train.x.cpu().numpy().tobytes())
    digest.update(train.y.cpu().numpy().tobytes())
    return digest.hexdigest()
