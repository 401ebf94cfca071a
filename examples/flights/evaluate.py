"""Compare the models on the days none of them has seen."""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.dates import DateFormatter, MonthLocator
from matplotlib.ticker import PercentFormatter
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score, roc_curve
from style import BLUE, GREEN, GREY, INK, ORANGE, plt, save

COLOURS = {"logistic": GREY, "forest": GREEN, "boosting": BLUE}
NAMES = {"logistic": "logistic regression", "forest": "random forest", "boosting": "gradient boosting"}


def score(predictions: pd.DataFrame, alarm: float) -> dict[str, float]:
    """Ranking, calibration, and what a warning at `alarm` would be worth."""
    truth, probability = predictions["is_late"], predictions["probability"].clip(1e-6, 1 - 1e-6)
    warned = probability >= alarm
    return {
        "roc_auc": roc_auc_score(truth, probability),
        "average_precision": average_precision_score(truth, probability),
        "brier": brier_score_loss(truth, probability),
        "log_loss": log_loss(truth, probability),
        "warned": warned.mean(),
        "warnings_right": truth[warned].mean() if warned.any() else 0.0,
        "late_flights_warned": warned[truth].mean(),
    }


def roc(results: dict[str, pd.DataFrame], scores: dict[str, dict[str, float]]):
    figure, axes = plt.subplots(figsize=(5.8, 5.4))
    axes.plot([0, 1], [0, 1], color="#9CA3AF", linewidth=1, linestyle=(0, (4, 3)))
    for model, predictions in results.items():
        false_alarms, found, _ = roc_curve(predictions["is_late"], predictions["probability"])
        label = f"{NAMES[model]}  {scores[model]['roc_auc']:.3f}"
        axes.plot(false_alarms, found, color=COLOURS[model], label=label)
    axes.set(xlim=(0, 1), ylim=(0, 1.005), aspect="equal")
    axes.set_title("Telling late flights from the rest")
    axes.set_xlabel("false alarms among punctual flights")
    axes.set_ylabel("late flights found")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.legend(loc="lower right", title="area under the curve", alignment="left")
    return figure


def calibration(results: dict[str, pd.DataFrame]):
    """Of the flights given 30 %, do 30 % come late? Below it, how many flights each model placed where."""
    figure, (axes, counts) = plt.subplots(2, 1, figsize=(5.8, 6), height_ratios=[4, 1], sharex=True)
    edges = np.linspace(0, 1, 11)
    axes.plot([0, 1], [0, 1], color="#9CA3AF", linewidth=1, linestyle=(0, (4, 3)))
    for model, predictions in results.items():
        groups = predictions.groupby(
            pd.cut(predictions["probability"], edges, include_lowest=True), observed=True
        )
        points = groups.agg(said=("probability", "mean"), came=("is_late", "mean"), n=("is_late", "size"))
        points = points[points["n"] >= 50]
        axes.plot(
            points["said"], points["came"], color=COLOURS[model], marker="o", markersize=4, label=NAMES[model]
        )
        histogram, _ = np.histogram(predictions["probability"], np.linspace(0, 1, 41))
        counts.stairs(histogram / 1000, np.linspace(0, 1, 41), color=COLOURS[model], linewidth=1.5)
    axes.set_title("Does a promised 30 % come true?")
    axes.set_ylabel("came late")
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.legend(loc="upper left")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    counts.set_ylabel("flights\n(thousands)")
    counts.set_xlabel("predicted probability of being late")
    counts.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return figure


def days(predictions: pd.DataFrame, model: str):
    """The held-out days one by one: what was expected, what came."""
    daily = predictions.groupby("date").agg(expected=("probability", "mean"), came=("is_late", "mean"))
    figure, axes = plt.subplots(figsize=(10, 3.8))
    axes.vlines(daily.index, daily["expected"], daily["came"], color="#CBD5E1", linewidth=1.5, zorder=1)
    axes.scatter(daily.index, daily["came"], color=ORANGE, s=26, label="came late", zorder=3)
    axes.scatter(daily.index, daily["expected"], color=BLUE, s=26, label="expected", zorder=2)
    surprise = (daily["came"] - daily["expected"]).idxmax()
    axes.annotate(
        f"{surprise.day} {surprise:%B}",
        (surprise, daily.loc[surprise, "came"]),
        xytext=(7, -3),
        textcoords="offset points",
        color=INK,
        fontsize=9,
    )
    axes.xaxis.set_major_locator(MonthLocator())
    axes.xaxis.set_major_formatter(DateFormatter("%b"))
    axes.set_title(f"Day by day: share of late flights, as {NAMES[model]} expected them and as they came")
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_ylim(0, 1.15 * daily.to_numpy().max())
    axes.legend(loc="upper right", ncols=2)
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("predictions", type=Path, nargs="+")
    parser.add_argument("--alarm", type=float, required=True, help="warn from this probability on")
    parser.add_argument("--late-minutes", type=int, required=True)
    parser.add_argument("--figures", type=Path, required=True)
    parser.add_argument("--metrics", type=Path, required=True)
    parser.add_argument("--table", type=Path, required=True)
    options = parser.parse_args()

    found = {path.stem.removeprefix("predictions-"): pd.read_parquet(path) for path in options.predictions}
    results = {model: found[model] for model in COLOURS if model in found}
    scores = {model: score(predictions, options.alarm) for model, predictions in results.items()}
    best = max(scores, key=lambda model: scores[model]["roc_auc"])

    save(roc(results, scores), options.figures / "roc.png")
    save(calibration(results), options.figures / "calibration.png")
    save(days(results[best], best), options.figures / "days.png")
    summary = {
        "late_minutes": options.late_minutes,
        "alarm": options.alarm,
        "best": best,
        "models": {
            model: {name: round(float(value), 4) for name, value in own.items()}
            for model, own in scores.items()
        },
    }
    for path in (options.metrics, options.table):
        path.parent.mkdir(parents=True, exist_ok=True)
    options.metrics.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    pd.DataFrame(scores).T.rename_axis("model").to_csv(options.table, float_format="%.4f")
    print(f"best: {NAMES[best]}, area under the curve {scores[best]['roc_auc']:.3f}")


if __name__ == "__main__":
    main()
