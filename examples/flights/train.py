"""Learn which flights arrive late, from what is known before they leave.

Every fifth day is held out, whole: flights of one day share its weather and its trouble.
"""

import argparse
from pathlib import Path

import joblib
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

CATEGORIES = ["carrier", "origin"]
NUMBERS = ["sched_hour", "month", "weekday", "distance", "plane_age", "seats", "dest_lat", "dest_lon"]
NUMBERS += ["temp", "humid", "wind_speed", "wind_gust", "precip", "pressure", "visib"]
SEED = 2013


def build(model: str) -> Pipeline:
    """Return the untrained model of that name. One thread each: the same numbers on every machine."""
    fill = SimpleImputer(strategy="median")
    if model == "logistic":
        columns = make_column_transformer(
            (OneHotEncoder(), CATEGORIES), (make_pipeline(fill, StandardScaler()), NUMBERS)
        )
        return make_pipeline(columns, LogisticRegression(max_iter=300, random_state=SEED))
    columns = make_column_transformer(
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), CATEGORIES), (fill, NUMBERS)
    )
    if model == "forest":
        forest = RandomForestClassifier(
            n_estimators=40, max_depth=14, min_samples_leaf=20, max_samples=0.3, n_jobs=1, random_state=SEED
        )
        return make_pipeline(columns, forest)
    boosting = HistGradientBoostingClassifier(
        max_iter=150, learning_rate=0.1, max_leaf_nodes=31, early_stopping=False, random_state=SEED
    )
    return make_pipeline(columns, boosting)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flights", type=Path, required=True)
    parser.add_argument("--model", choices=["logistic", "forest", "boosting"], required=True)
    parser.add_argument("--late-minutes", type=int, required=True)
    parser.add_argument("--sample", type=int, required=True, help="flights to learn from, at most")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--predictions", type=Path, required=True)
    options = parser.parse_args()

    flights = pd.read_parquet(options.flights).dropna(subset=["arr_delay"])
    flights["month"] = flights["date"].dt.month
    flights["weekday"] = flights["date"].dt.day_of_week
    is_late = flights["arr_delay"] >= options.late_minutes
    is_held_out = flights["date"].dt.day_of_year % 5 == 0
    known = flights[~is_held_out]
    known = known.sample(min(options.sample, len(known)), random_state=SEED).sort_index()

    model = build(options.model).fit(known[CATEGORIES + NUMBERS], is_late[known.index])

    held_out = flights[is_held_out]
    predictions = held_out[["date", "origin", "carrier", "sched_hour"]].assign(
        is_late=is_late[is_held_out],
        probability=model.predict_proba(held_out[CATEGORIES + NUMBERS])[:, 1].round(6),
    )
    for path in (options.out, options.predictions):
        path.parent.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, options.out, compress=3)
    predictions.to_parquet(options.predictions, index=False, compression="zstd")
    print(
        f"{options.model}: learned from {len(known):,} flights, {is_late[known.index].mean():.1%} late; "
        f"{len(held_out):,} held out"
    )


if __name__ == "__main__":
    main()
