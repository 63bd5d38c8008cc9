"""A job: an experiment with everything that running it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrace.adapters.record_files import RunRecords
from headrace.adapters.scratch_folders import ScratchFolders
from headrace.adapters.source_files import Sources
from headrace.core.artifact import Artifact
from headrace.core.graph import Graph
from headrace.core.key import Key
from headrace.core.plan import Planner
from headrace.core.ports import Codec, Judge, LakeStore, Runtime, StageCache, Tracker
from headrace.core.signature import Signature
from headrace.core.spec import Experiment
from headrace.core.sweep import SweepRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The callables build on first need, so that a plan costs no import."""

    experiment: Experiment
    graph: Graph
    signatures: Mapping[str, Signature]
    source_commit: str
    external: Mapping[str, str]  # digest by URI
    sources_told: Mapping[str, Mapping[str, Any]]  # what each external input is, by URI
    given: Mapping[str, Artifact]  # artifacts by name that a past run made
    planner: Planner
    is_partial: bool  # some stages of the pipeline are left out, so nothing is published
    keep_code: Callable[[Key], None]  # keeps what a key's code consists of, to tell later what changed in it
    lake: LakeStore
    cache: StageCache
    sources: Sources
    records: RunRecords
    scratch: ScratchFolders
    redact: Callable[[str], str]  # replaces the secrets of the config in a text
    root: Path
    flow: str  # the entry point: `train`
    command: str
    resume: str
    overrides: Sequence[str]
    codecs: Callable[[], Sequence[Codec]]
    tracker: Callable[[], Tracker]
    runtime: Callable[[], Runtime]
    git_state: Callable[[Path], dict[str, Any]]  # keeps what is not committed in a folder
    machine_state: Callable[[], dict[str, Any]]
    sweep: SweepRef | None = None
    judge: Judge | None = None  # asked about interim scores; None: no search is listening
