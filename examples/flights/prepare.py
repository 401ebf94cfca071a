"""One row a flight, with what was known before it left: timetable, aircraft, destination, weather."""

import argparse
from pathlib import Path

import pandas as pd

DATA = Path("data")


def local_hour(flights: pd.DataFrame) -> pd.Series:
    """Scheduled departure as hours since midnight, minutes as a fraction."""
    return flights["sched_dep_time"] // 100 + flights["sched_dep_time"] % 100 / 60


def read_flights() -> pd.DataFrame:
    columns = ["year", "month", "day", "sched_dep_time", "dep_delay", "arr_delay", "carrier", "tailnum"]
    columns += ["origin", "dest", "distance", "time_hour"]
    flights = pd.read_csv(DATA / "flights.csv.zip", usecols=columns)
    flights["date"] = pd.to_datetime(flights[["year", "month", "day"]])
    flights["sched_hour"] = local_hour(flights)
    return flights.drop(columns=["year", "month", "day", "sched_dep_time"])


def read_planes() -> pd.DataFrame:
    planes = pd.read_csv(DATA / "planes.csv", usecols=["tailnum", "year", "seats"])
    planes["plane_age"] = 2013 - planes["year"]
    return planes[["tailnum", "plane_age", "seats"]]


def read_weather() -> pd.DataFrame:
    columns = [
        "origin",
        "time_hour",
        "temp",
        "humid",
        "wind_speed",
        "wind_gust",
        "precip",
        "pressure",
        "visib",
    ]
    weather = pd.read_csv(DATA / "weather.csv", usecols=columns)
    weather["wind_gust"] = weather["wind_gust"].fillna(weather["wind_speed"])
    return weather.drop_duplicates(["origin", "time_hour"])


def read_airports() -> pd.DataFrame:
    airports = pd.read_csv(DATA / "airports.csv", usecols=["faa", "lat", "lon"])
    return airports.rename(columns={"faa": "dest", "lat": "dest_lat", "lon": "dest_lon"})


def prepare() -> pd.DataFrame:
    airlines = pd.read_csv(DATA / "airlines.csv").rename(columns={"name": "airline"})
    flights = read_flights()
    joined = (
        flights.merge(airlines, on="carrier", how="left", validate="many_to_one")
        .merge(read_planes(), on="tailnum", how="left", validate="many_to_one")
        .merge(read_airports(), on="dest", how="left", validate="many_to_one")
        .merge(read_weather(), on=["origin", "time_hour"], how="left", validate="many_to_one")
    )
    assert len(joined) == len(flights), "a join multiplied flights"
    return joined.drop(columns=["time_hour", "tailnum"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out

    flights = prepare()
    out.parent.mkdir(parents=True, exist_ok=True)
    flights.to_parquet(out, index=False, compression="zstd")
    print(
        f"{len(flights):,} flights; {flights['temp'].notna().mean():.1%} with weather, "
        f"{flights['plane_age'].notna().mean():.1%} with a known aircraft, "
        f"{flights['arr_delay'].isna().mean():.1%} never arrived as planned"
    )


if __name__ == "__main__":
    main()
