"""Keep the flights that arrived."""

import csv
import sys
from pathlib import Path

source, target = map(Path, sys.argv[1:])
with source.open(newline="", encoding="utf-8") as file:
    flights = [row for row in csv.DictReader(file) if row["arr_delay"]]
target.parent.mkdir(parents=True, exist_ok=True)
with target.open("w", newline="", encoding="utf-8") as file:
    writer = csv.DictWriter(file, fieldnames=list(flights[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(flights)
print(f"{len(flights)} flights arrived")
