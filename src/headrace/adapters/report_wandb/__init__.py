"""Reports in Weights & Biases, through `wandb_workspaces`: saved, found again, shared by a link."""

from headrace.adapters.report_wandb.document import Document, Place, Saved
from headrace.adapters.report_wandb.kept import read_kept, write_kept
from headrace.adapters.report_wandb.reports import INSTALL, WandbReports, has_extra

__all__ = ["INSTALL", "Document", "Place", "Saved", "WandbReports", "has_extra", "read_kept", "write_kept"]
