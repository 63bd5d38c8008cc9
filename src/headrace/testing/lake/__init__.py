"""What every `LakeStore` must do. Needs pytest.

    class TestMyLake(LakeContract):
        @pytest.fixture
        def lake(self, tmp_path):
            return MyLake(tmp_path)

The lake given is fresh: nothing on it but an empty `main`.
"""

from headrace.testing.lake.fixture import commit_files, paths_at, text_at
from headrace.testing.lake.listing import ListingContract
from headrace.testing.lake.merging import MergeContract
from headrace.testing.lake.objects import ObjectContract
from headrace.testing.lake.refs import RefContract

__all__ = ["LakeContract", "commit_files", "paths_at", "text_at"]


class LakeContract(ObjectContract, ListingContract, RefContract, MergeContract):
    """All of it."""
