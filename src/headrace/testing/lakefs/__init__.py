"""A stand-in for a lakeFS server, for tests. It is not lakeFS.

    with StandInServer(spec=find_spec()) as server:
        server.create_repository("repo")
        ...  # talk to server.endpoint with server.access_key_id and server.secret_access_key
        assert server.violations == []

What it keeps of lakeFS: the routes for repositories, branches, tags, commits, history, diffs, merges,
reverts, objects, physical addresses, presigned URLs and uploads in parts, with their statuses and
bodies; Basic login; names; ref expressions; staging above commits; the identity of an object; merging
object by object, never a fast-forward; pages; hooks as something that says no. Presigned URLs behave
as S3's do: no login, a signature, an end of life, quoted ETags.

What it does not keep: users and rights, branch protection, actions from files, imports, pull
requests, cherry-picks, garbage collection, metaranges, read-only and bare repositories, several
storages, the S3 gateway, and any durability: it lives as long as its process. It is stricter than
lakeFS: a request with an unknown parameter or field is refused and remembered as a violation.
"""

from headrace.testing.lakefs.faults import Fault
from headrace.testing.lakefs.request import RequestLog
from headrace.testing.lakefs.server import StandInServer
from headrace.testing.lakefs.spec import find_spec

__all__ = ["Fault", "RequestLog", "StandInServer", "find_spec"]
