"""Count the late flights of one airport by month."""

import csv
import sys
from collections import Counter
from pathlib import Path

origin, late_minutes, target = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
flights: Counter[int] = Counter()
late: Counter[int] = Counter()
with Path("build/flights.csv").open(newline="", encoding="utf-8") as file:
    for row in csv.DictReader(file):
        if row["origin"] == origin:
            flights[int(row["month"])] += 1
            late[int(row["month"])] += float(row["arr_delay"]) >= late_minutes
target.parent.mkdir(parents=True, exist_ok=True)
lines = [f"{month},{flights[month]},{late[month]}" for month in sorted(flights)]
target.write_text("\n".join(["month,flights,late", *lines]) + "\n", encoding="utf-8")
print(f"{origin}: {late.total()} of {flights.total()} flights late")
