"""What every `LakeStore` must do. Needs pytest.

    class TestMyLake(LakeContract):
        @pytest.fixture
        def lake(self, tmp_path):
            return MyLake(tmp_path)

The lake given is fresh: nothing on it but an empty `main`. It can be pickled: what comes out is
another instance for the same lake.
"""

from __future__ import annotations

from headrace.testing.lake.collecting import CollectionContract
from headrace.testing.lake.corners import CornerContract
from headrace.testing.lake.fixture import commit_files, paths_at, text_at
from headrace.testing.lake.listing import ListingContract
from headrace.testing.lake.many import ManyContract, objects_at, write_files
from headrace.testing.lake.merging import MergeContract
from headrace.testing.lake.objects import ObjectContract
from headrace.testing.lake.refs import RefContract
from headrace.testing.lake.sharing import SharingContract, open_again

__all__ = [
    "LakeContract",
    "commit_files",
    "objects_at",
    "open_again",
    "paths_at",
    "text_at",
    "write_files",
]


class LakeContract(
    ObjectContract,
    ManyContract,
    ListingContract,
    RefContract,
    MergeContract,
    CollectionContract,
    SharingContract,
    CornerContract,
):
    """All of it."""
