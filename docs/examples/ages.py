"""A stage that draws a chart of its own."""

from __future__ import annotations

from typing import Any

import pandas as pd


def draw_ages(rows: pd.DataFrame) -> dict[str, Any]:
    """Draw how many rows there are of each age."""
    import altair as alt

    counts = rows["age"].value_counts().rename("rows").reset_index()
    told = {
        "title": "Rows by age",
        "alt": f"Bar chart of {len(rows)} rows by age; most are {counts['age'][0]}.",
        "caption": "Rows of the test part.",
    }
    chart = alt.Chart(counts, title=told["title"], width=320).mark_bar().encode(x="age:Q", y="rows:Q")
    return {"figures": {"ages": chart.properties(usermeta={"headrace": told})}}
