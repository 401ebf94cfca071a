"""Where, when and in what weather flights out of New York arrived late in 2013.

Late here is the statisticians' word: 15 minutes or more after the timetable.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patheffects import withStroke
from matplotlib.ticker import PercentFormatter
from style import BLUE, GREEN, GREY, INK, ORANGE, RED, plt, save

LATE_MINUTES = 15
AIRPORTS = {"EWR": ("Newark", ORANGE), "JFK": ("Kennedy", BLUE), "LGA": ("LaGuardia", GREEN)}
HEAT = LinearSegmentedColormap.from_list("late", ["#FFF7E6", "#FDD49E", "#FC8D59", "#D7301F", "#7F0000"])


def by_hour(flights: pd.DataFrame):
    """Delays grow all day: every late arrival makes the next departure late."""
    figure, panels = plt.subplots(1, 3, figsize=(10.5, 4), sharey=True)
    for axes, (origin, (name, colour)) in zip(panels, AIRPORTS.items(), strict=True):
        own = flights[flights["origin"] == origin]
        groups = own.groupby(own["sched_hour"].astype(int))["arr_delay"]
        enough = groups.count() >= 300
        quantile = {q: groups.quantile(q)[enough] for q in (0.1, 0.25, 0.5, 0.75, 0.9)}
        hours = quantile[0.5].index
        axes.fill_between(hours, quantile[0.1], quantile[0.9], color=colour, alpha=0.15, linewidth=0)
        axes.fill_between(hours, quantile[0.25], quantile[0.75], color=colour, alpha=0.3, linewidth=0)
        axes.plot(hours, quantile[0.5], color=colour, marker="o", markersize=3)
        axes.axhline(0, color=GREY, linewidth=1)
        axes.text(0.04, 0.94, name, transform=axes.transAxes, color=colour, fontweight="bold", va="top")
        axes.set_xlim(4.5, 23.5)
        axes.set_xticks(range(6, 24, 4), [f"{hour}:00" for hour in range(6, 24, 4)])
    panels[0].set_title("Leave early: delays pile up over the day")
    panels[0].set_ylabel("arrival delay (minutes): median,\nmiddle half, middle four fifths")
    panels[1].set_xlabel("scheduled departure (local time)")
    return figure


def calendar(flights: pd.DataFrame):
    """The year as a calendar: storms and holidays stand out as single days."""
    share = flights.groupby("date")["is_late"].mean()
    grid = np.full((12, 31), np.nan)
    for day, value in share.items():
        grid[day.month - 1, day.day - 1] = value
    figure, axes = plt.subplots(figsize=(10, 4.4))
    image = axes.imshow(grid, cmap=HEAT, vmin=0, vmax=0.8, aspect="auto")
    axes.set_yticks(range(12), [f"{day:%b}" for day in pd.date_range("2013-01-01", periods=12, freq="MS")])
    axes.set_xticks(range(0, 31, 5), range(1, 32, 5))
    axes.set_xticks(np.arange(-0.5, 31), minor=True)
    axes.set_yticks(np.arange(-0.5, 12), minor=True)
    axes.grid(which="major", visible=False)
    axes.grid(which="minor", color="white", linewidth=2)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    axes.set_title("Bad days of 2013: share of flights 15 minutes late or more")
    worst = share.idxmax()
    axes.annotate(
        f"{worst.day} {worst:%B}: {share.max():.0%}",
        (worst.day - 1, worst.month - 1),
        xytext=(worst.day + 1.2, worst.month + 0.6),
        arrowprops={"arrowstyle": "-", "color": INK},
        bbox={"boxstyle": "round,pad=0.3", "facecolor": "white", "edgecolor": "none"},
    )
    bar = figure.colorbar(image, ax=axes, format=PercentFormatter(1, decimals=0), pad=0.015, aspect=30)
    bar.outline.set_visible(False)
    return figure


def destinations(flights: pd.DataFrame):
    """Where flights go, how many, and how often late."""
    mainland = flights[flights["dest_lon"].between(-128, -66) & flights["dest_lat"].between(24, 50)]
    places = mainland.groupby("dest").agg(
        lat=("dest_lat", "first"),
        lon=("dest_lon", "first"),
        flights=("is_late", "size"),
        late=("is_late", "mean"),
    )
    places = places[places["flights"] >= 50].sort_values("flights", ascending=False)
    figure, axes = plt.subplots(figsize=(9.5, 5.2))
    new_york = (-73.95, 40.72)
    for place in places.itertuples():
        axes.plot(
            [new_york[0], place.lon], [new_york[1], place.lat], color="#CBD5E1", linewidth=0.6, zorder=1
        )
    dots = axes.scatter(
        places["lon"],
        places["lat"],
        s=places["flights"] / 22,
        c=places["late"],
        cmap=HEAT,
        vmin=0.1,
        vmax=0.45,
        edgecolor="white",
        linewidth=0.8,
        zorder=2,
    )
    axes.plot(*new_york, marker="*", color=INK, markersize=14, zorder=3)
    named: list[tuple[float, float]] = []
    for place in places.head(24).itertuples():
        if all(abs(place.lon - lon) + 2 * abs(place.lat - lat) > 3 for lon, lat in named):
            named.append((place.lon, place.lat))
            text = axes.annotate(place.Index, (place.lon, place.lat), ha="center", va="center", fontsize=8)
            text.set_path_effects([withStroke(linewidth=2, foreground="white")])
    axes.set_title("Where flights go (size) and how often they come late (colour)")
    axes.set_aspect(1.28)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(dots, ax=axes, format=PercentFormatter(1, decimals=0), shrink=0.7, pad=0.01)
    bar.outline.set_visible(False)
    return figure


def weather(flights: pd.DataFrame):
    """Three kinds of bad weather, each against the same scale."""
    cuts = {
        "visibility (miles)": (
            "visib",
            [-1, 0.5, 1, 2, 4, 7, 9.9, 10],
            ["≤½", "1", "2", "4", "7", "<10", "10"],
        ),
        "wind gusts (mph)": (
            "wind_gust",
            [-1, 5, 10, 15, 20, 25, 30, 99],
            ["<5", "10", "15", "20", "25", "30", ">30"],
        ),
        "rain or snow in the hour (inches)": (
            "precip",
            [-1, 0, 0.02, 0.05, 0.1, 0.2, 9],
            ["none", ".02", ".05", ".1", ".2", ">.2"],
        ),
    }
    overall = flights["is_late"].mean()
    figure, panels = plt.subplots(1, 3, figsize=(10.5, 4), sharey=True)
    for axes, (label, (column, edges, names)) in zip(panels, cuts.items(), strict=True):
        bins = pd.cut(flights[column], edges, labels=names)
        late = flights.groupby(bins, observed=False)["is_late"].mean()
        axes.bar(names, late, color=[RED if value > 1.2 * overall else BLUE for value in late], width=0.75)
        axes.axhline(overall, color=INK, linewidth=1, linestyle=(0, (4, 3)))
        axes.set_xlabel(label)
        axes.grid(axis="x", visible=False)
    panels[0].set_title("Fog, gusts and rain: share of flights 15 minutes late or more")
    panels[0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    panels[1].text(-0.4, overall + 0.008, f"all flights {overall:.0%}", fontsize=9)
    return figure


def carriers(flights: pd.DataFrame) -> pd.DataFrame:
    """A table of the airlines: flights, share late, share cancelled, median delay."""
    groups = flights.groupby("airline")
    table = pd.DataFrame(
        {
            "flights": groups.size(),
            "share_late": groups["is_late"].mean(),
            "share_cancelled": groups["arr_delay"].apply(lambda delays: delays.isna().mean()),
            "median_delay_min": groups["arr_delay"].median(),
        }
    )
    return table.sort_values(["flights", "share_late"], ascending=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flights", type=Path, required=True)
    parser.add_argument("--figures", type=Path, required=True)
    parser.add_argument("--table", type=Path, required=True)
    options = parser.parse_args()

    everything = pd.read_parquet(options.flights)
    everything["is_late"] = (everything["arr_delay"] >= LATE_MINUTES).where(everything["arr_delay"].notna())
    everything["is_late"] = everything["is_late"].astype("float64")
    arrived = everything[everything["arr_delay"].notna()]
    for name, draw in {
        "by-hour": by_hour,
        "calendar": calendar,
        "destinations": destinations,
        "weather": weather,
    }.items():
        save(draw(arrived), options.figures / f"{name}.png")
    options.table.parent.mkdir(parents=True, exist_ok=True)
    carriers(everything).to_csv(options.table, float_format="%.4f")


if __name__ == "__main__":
    main()
