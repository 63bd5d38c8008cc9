"""Score tables larger than memory: partition by partition, resumable, every row answered or rejected."""
