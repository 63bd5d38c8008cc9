"""Everything that the service writes on stderr is a line of JSON."""

from __future__ import annotations

import json
import logging
import sys

from headrace.serving.request_log import LogLines


def record(message: str, *args: object, failed: bool = False) -> logging.LogRecord:
    info = sys.exc_info() if failed else None
    return logging.LogRecord("headrace.serving.hosting", logging.WARNING, "", 0, message, args, info)


def test_what_the_service_says_of_itself_is_one_line_of_json() -> None:
    """A message of several lines, such as a version that is refused, is still one."""
    line = LogLines().format(record("%s: version %d is refused: %s", "birds", 2, "a\nb"))
    assert "\n" not in line
    said = json.loads(line)
    assert said["message"] == "birds: version 2 is refused: a\nb"
    assert (said["level"], said["logger"]) == ("warning", "headrace.serving.hosting")


def test_a_failure_comes_with_its_traceback() -> None:
    """Where the request log has it too."""
    try:
        raise RuntimeError("broken")
    except RuntimeError:
        said = json.loads(LogLines().format(record("failed", failed=True)))
    assert said["trouble"].endswith("RuntimeError: broken")
