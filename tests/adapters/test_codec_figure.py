"""Figures become pictures: of Altair always, of other libraries where they are installed."""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd
import pytest

from headrace.adapters.codec_figure import FigureCodec
from headrace.adapters.codec_figure.png import pack_png
from headrace.assemble import codecs
from headrace.errors import StageError
from headrace.testing.codec import digest_of


@pytest.fixture
def chart() -> alt.Chart:
    table = pd.DataFrame({"x": [1, 2, 3], "y": [2.0, None, 4.0]})
    return alt.Chart(table, title="Two and four").mark_line().encode(x="x:Q", y="y:Q")


def told(path: Path) -> dict[str, str]:
    """Return what a stored chart says of itself."""
    said: dict[str, str] = json.loads(path.read_text("utf-8"))["usermeta"]["headrace"]
    return said


def test_accepts_no_stranger() -> None:
    """Only figures are figures; a class that happens to be called Figure is none."""
    assert not FigureCodec().accepts(type("Figure", (), {})())


def test_a_chart_becomes_a_picture_and_a_specification(chart: alt.Chart, tmp_path: Path) -> None:
    """A chart of Altair is stored as PNG and Vega-Lite with its data, twice with the same bytes."""
    for name in ("a", "b"):
        FigureCodec().write(chart, tmp_path / name)
    assert sorted(file.name for file in (tmp_path / "a").iterdir()) == ["figure.json", "figure.png"]
    assert digest_of(tmp_path / "a") == digest_of(tmp_path / "b")
    spec = json.loads((tmp_path / "a" / "figure.json").read_text("utf-8"))
    assert next(iter(spec["datasets"].values()))[2] == {"x": 3, "y": 4.0}
    assert FigureCodec().read(tmp_path / "a", "pathlib.Path") == tmp_path / "a"


def test_the_bytes_are_the_same_in_another_process(tmp_path: Path) -> None:
    """What is written depends on the chart alone."""
    code = (
        "import sys, pathlib, altair as alt; from headrace.adapters.codec_figure import FigureCodec;"
        "chart = alt.Chart(alt.InlineData(values=[{'x': 1}])).mark_point().encode(x='x:Q');"
        "FigureCodec().write(chart, pathlib.Path(sys.argv[1]))"
    )
    for name in ("a", "b"):
        subprocess.run([sys.executable, "-c", code, str(tmp_path / name)], check=True)
    assert digest_of(tmp_path / "a") == digest_of(tmp_path / "b")


def test_a_picture_is_twice_as_large_as_its_chart_and_white(chart: alt.Chart, tmp_path: Path) -> None:
    """The PNG has two pixels for each of the chart, on white; the specification names no background."""
    FigureCodec().write(chart.properties(width=100, height=50), tmp_path / "a")
    picture = (tmp_path / "a" / "figure.png").read_bytes()
    width, height = struct.unpack(">II", picture[16:24])
    assert width > 200
    assert height > 100
    assert "background" not in json.loads((tmp_path / "a" / "figure.json").read_text("utf-8"))


def test_a_chart_says_what_it_is(chart: alt.Chart, tmp_path: Path) -> None:
    """Title, alt text and caption are the chart's own; else its title, its description, and its name."""
    own = {"title": "T", "alt": "A", "caption": "C"}
    charts = {
        "own": chart.properties(usermeta={"headrace": own, "embedOptions": {"config": "https://a.example"}}),
        "plain": chart,
        "described": chart.properties(description="A line that rises", title=alt.Title(["Up", "and up"])),
        "no_title": alt.Chart(alt.InlineData(values=[{"x": 1}])).mark_point().encode(x="x:Q"),
    }
    FigureCodec().write(charts, tmp_path / "a")
    assert told(tmp_path / "a" / "own.json") == own
    assert "embedOptions" not in (tmp_path / "a" / "own.json").read_text("utf-8")
    assert told(tmp_path / "a" / "plain.json") == {
        "title": "Two and four",
        "alt": "Two and four",
        "caption": "",
    }
    assert told(tmp_path / "a" / "described.json")["alt"] == "A line that rises"
    assert told(tmp_path / "a" / "described.json")["title"] == "Up and up"
    assert told(tmp_path / "a" / "no_title.json")["title"] == "no title"


def test_a_dict_of_figures_is_no_json(chart: alt.Chart, tmp_path: Path) -> None:
    """Of all codecs, the one for figures takes a dict of them, and leaves other dicts to JSON."""

    def taker(value: object) -> str:
        return next(codec.name for codec in codecs() if codec.accepts(value))

    both = {"one": chart, "two": chart + chart}
    assert taker(both) == "figure"
    assert [taker({}), taker({"one": 1}), taker({"one": chart, "two": 2})] == ["json"] * 3
    FigureCodec().write(both, tmp_path / "a")
    assert {file.name for file in (tmp_path / "a").iterdir()} == {
        f"{name}.{suffix}" for name in both for suffix in ("png", "json")
    }


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", 3])
def test_a_name_that_is_no_file_name_is_refused(name: Any, chart: alt.Chart, tmp_path: Path) -> None:
    """A figure's name cannot lead out of its directory."""
    with pytest.raises(StageError, match="cannot be the name of a figure"):
        FigureCodec().write({name: chart}, tmp_path / "a")
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("kind", ["data", "image", "channel"])
def test_a_figure_fetches_nothing(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chart that wants data or pictures from an address is refused before anything is asked for."""
    values = alt.InlineData(values=[{"x": 1, "url": "http://127.0.0.1:9/a.png"}])
    charts = {
        "data": alt.Chart("http://127.0.0.1:9/a.csv").mark_point().encode(x="x:Q"),
        "image": alt.Chart(values).mark_image(url="http://127.0.0.1:9/a.png").encode(x="x:Q"),
        "channel": alt.Chart(values).mark_image().encode(x="x:Q", url="url:N"),
    }
    monkeypatch.setattr(socket, "socket", lambda *_, **__: pytest.fail("a socket was opened"))
    with pytest.raises(StageError, match="figure figure fetches"):
        FigureCodec().write(charts[kind], tmp_path / "a")


def test_a_column_may_hold_addresses(tmp_path: Path) -> None:
    """Addresses among the values are data like any other."""
    table = pd.DataFrame({"url": ["https://a.example/1", "https://a.example/2"]})
    FigureCodec().write(alt.Chart(table).mark_bar().encode(x="url:N"), tmp_path / "a")
    assert (tmp_path / "a" / "figure.png").is_file()


def test_what_is_no_chart_is_told_by_name(tmp_path: Path) -> None:
    """A chart without a mark, or with what JSON cannot say, is an error with its name."""
    values = alt.InlineData(values=[{"x": float("nan")}])
    for number, chart in enumerate([alt.Chart(), alt.Chart(values).mark_point()]):
        with pytest.raises(StageError, match=r"figure roc is no complete chart"):
            FigureCodec().write({"roc": chart}, tmp_path / str(number))


def test_a_chart_of_too_many_rows_says_what_to_do(tmp_path: Path) -> None:
    """A chart of more rows than Altair takes is refused with a way out."""
    many = alt.Chart(pd.DataFrame({"x": range(6000)})).mark_point().encode(x="x:Q")
    with pytest.raises(StageError, match=r"(?s)figure roc has more rows.*sample\(500"):
        FigureCodec().write({"roc": many}, tmp_path / "a")


def test_packing_keeps_every_pixel() -> None:
    """A PNG that is packed anew has the same header and the same pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    pixels = (b"\0" + b"\xff\x00\x80\xff" * 40) * 40
    packed = zlib.compress(pixels, 0)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 40, 40, 8, 6, 0, 0, 0))
    parts = chunk(b"IDAT", packed[:100]) + chunk(b"IDAT", packed[100:])
    found = pack_png(b"\x89PNG\r\n\x1a\n" + head + parts + chunk(b"IEND", b""))
    assert found.startswith(b"\x89PNG\r\n\x1a\n" + head)
    (length,) = struct.unpack_from(">I", found, 33)
    assert zlib.decompress(found[41 : 41 + length]) == pixels
    assert len(found) < 200


def test_storing_loads_altair_only_for_a_chart() -> None:
    """Asking the codecs about a value loads no library that draws."""
    code = (
        "import sys; from headrace.assemble import codecs; [codec.accepts({'a': 1}) for codec in codecs()];"
        "print([name for name in ('altair', 'vl_convert', 'matplotlib', 'plotly') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_matplotlib_becomes_a_picture(tmp_path: Path) -> None:
    """A figure is stored as one PNG, twice with the same bytes, and read as its path."""
    figure = pytest.importorskip("matplotlib.figure").Figure()
    figure.subplots().plot([1, 3, 2])
    assert FigureCodec().accepts(figure)
    for name in ("a", "b"):
        FigureCodec().write(figure, tmp_path / name)
    assert (tmp_path / "a" / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert digest_of(tmp_path / "a") == digest_of(tmp_path / "b")
    assert FigureCodec().read(tmp_path / "a", "") == tmp_path / "a"


def test_plotly_becomes_a_page(tmp_path: Path) -> None:
    """A figure is stored as one HTML page, twice with the same bytes."""
    figure = pytest.importorskip("plotly.graph_objects").Figure()
    assert FigureCodec().accepts(figure)
    for name in ("a", "b"):
        FigureCodec().write(figure, tmp_path / name)
    assert digest_of(tmp_path / "a") == digest_of(tmp_path / "b")
    assert (tmp_path / "a" / "figure.html").stat().st_size > 1_000_000


def test_reads_as_a_path_only(tmp_path: Path) -> None:
    """A picture is not turned back into a figure."""
    with pytest.raises(StageError, match=r"cannot be given as matplotlib\.figure\.Figure"):
        FigureCodec().read(tmp_path, "matplotlib.figure.Figure")
