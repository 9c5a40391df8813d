"""Pictures of the dashboard's panels, for docs/metrics.md: one file a row, from a real run.

A server serves for a while, its Vault is sealed for a while, and unsealed again. Prometheus
scrapes it, and each panel's query is drawn as Grafana draws it.

python -m tests.benchmarks.dashboard
"""

import sys
import time
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import fill
from typing import Any

import matplotlib as mpl
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import (
    EngFormatter,
    FormatStrFormatter,
    Formatter,
    MaxNLocator,
    PercentFormatter,
)
from matplotlib.typing import RcKeyType

from tests.support.dashboard import Panel, rows
from tests.support.watched_server import WatchedServer, watched_server

PICTURES = Path(__file__).parents[2] / "docs" / "metrics"
WELL_SECONDS, SEALED_SECONDS, RECOVERED_SECONDS = 40.0, 30.0, 30.0

_COLUMNS = 2
_WIDTH, _HEIGHT = 12.0, 2.2  # inches of a picture, and of a panel
_COLOURS = mpl.color_sequences["tab20"]  # dark and light ones in turn
_LEGEND_WIDTH = 32  # characters
_STYLE: dict[RcKeyType, Any] = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.prop_cycle": cycler(color=[*_COLOURS[::2], *_COLOURS[1::2]]),
    "axes.titlesize": 10,
    "figure.constrained_layout.use": True,
    "font.size": 8,
    "grid.color": "#e4e4e4",
    "legend.fontsize": 7,
    "legend.frameon": False,
    "legend.labelspacing": 0.2,
    "svg.fonttype": "none",  # as text, which is small and can be searched
    "svg.hashsalt": "strongroom",
}
_UNITS: Mapping[str, Formatter] = {
    "bytes": EngFormatter("B"),
    "cps": FormatStrFormatter("%g/s"),
    "ops": FormatStrFormatter("%g/s"),
    "percentunit": PercentFormatter(1.0),
    "reqps": FormatStrFormatter("%g/s"),
    "s": EngFormatter("s"),
}


def main() -> None:
    """Run the server, and write a picture for each row."""
    with (
        TemporaryDirectory(prefix="strongroom-dashboard-") as directory,
        watched_server(Path(directory)) as watched,
    ):
        began = time.time()
        _use(watched, WELL_SECONDS)
        watched.vault.seal()
        _use(watched, SEALED_SECONDS)
        watched.vault.unseal()
        _use(watched, RECOVERED_SECONDS)
        PICTURES.mkdir(exist_ok=True)
        for title, panels in rows().items():
            file = PICTURES / f"{title.lower()}.svg"
            with mpl.rc_context(_STYLE):
                _picture(watched, panels, began).savefig(file, metadata={"Date": None})
            sys.stdout.write(f"{file.name}: {file.stat().st_size} bytes\n")


def _use(watched: WatchedServer, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        watched.use()


def _picture(watched: WatchedServer, panels: list[Panel], began: float) -> Figure:
    height = -(-len(panels) // _COLUMNS)
    figure = Figure(figsize=(_WIDTH, _HEIGHT * height))
    places = figure.subplots(height, _COLUMNS, squeeze=False).flat
    for place, panel in zip_longest(places, panels):
        if panel is None:
            place.remove()
        else:
            _draw(place, watched, panel, began)
    return figure


def _draw(place: Axes, watched: WatchedServer, panel: Panel, began: float) -> None:
    highest = 0.0
    for legend, times, values in sorted(_lines(watched, panel, began)):
        place.plot(times, values, label=fill(legend, _LEGEND_WIDTH), linewidth=1.2)
        highest = max(highest, *values)
    place.set_title(panel.title)
    place.set_xlim(0, WELL_SECONDS + SEALED_SECONDS + RECOVERED_SECONDS)
    place.set_ylim(0, highest * 1.1 or 1)
    place.xaxis.set_major_formatter(EngFormatter("s"))
    place.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    if panel.unit in _UNITS:
        place.yaxis.set_major_formatter(_UNITS[panel.unit])
    place.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _lines(
    watched: WatchedServer, panel: Panel, began: float
) -> Iterator[tuple[str, list[float], list[float]]]:
    for target in panel.targets:
        for labels, samples in watched.lines(target):
            times = [round(when - began, 1) for when, _ in samples]
            yield target.legend_of(labels), times, [value for _, value in samples]


if __name__ == "__main__":
    main()
