"""How our figures look, and how they are written: the same bytes for the same picture."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

#: Distinguishable with any colour vision (Okabe and Ito, 2008).
BLUE, ORANGE, GREEN, RED, SKY, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#6B7280"
INK = "#1F2937"

plt.rcParams.update(
    {
        "figure.dpi": 100,
        "savefig.dpi": 150,
        "figure.constrained_layout.use": True,
        "font.family": "DejaVu Sans",
        "font.size": 10,
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": "#9CA3AF",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 12,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.titlepad": 12,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": "#E5E7EB",
        "grid.linewidth": 0.8,
        "xtick.color": "#4B5563",
        "ytick.color": "#4B5563",
        "legend.frameon": False,
        "lines.linewidth": 2,
    }
)


def save(figure: Figure, path: Path) -> None:
    """Write `figure` without the date and program version that would change its bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)
    print(f"wrote {path}")
