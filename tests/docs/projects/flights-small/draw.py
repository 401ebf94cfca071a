"""Draw the share of late flights by airport, and write it down."""

import csv
import json
import sys
from pathlib import Path

COLOURS = {"EWR": "#E69F00", "JFK": "#0072B2", "LGA": "#009E73"}

late_minutes, figure, metrics = int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
shares = {}
for table in sorted(Path("tables").glob("*.csv")):
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    shares[table.stem] = sum(int(row["late"]) for row in rows) / sum(int(row["flights"]) for row in rows)

bars = []
for number, (origin, share) in enumerate(shares.items()):
    y = 50 + 40 * number
    bars.append(f'<text x="20" y="{y + 19}">{origin}</text>')
    bars.append(f'<rect x="70" y="{y}" width="{share * 900:.1f}" height="28" fill="{COLOURS[origin]}"/>')
    bars.append(f'<text x="{share * 900 + 80:.1f}" y="{y + 19}">{share:.0%}</text>')
title = f'<text x="20" y="28" font-weight="bold">Share of flights {late_minutes} minutes late or more</text>'
figure.parent.mkdir(parents=True, exist_ok=True)
figure.write_text(
    '<svg xmlns="http://www.w3.org/2000/svg" width="480" height="190" font-family="sans-serif">\n'
    + "\n".join(['<rect width="480" height="190" fill="white"/>', title, *bars])
    + "\n</svg>\n",
    encoding="utf-8",
)
rounded = {origin: round(share, 4) for origin, share in shares.items()}
metrics.write_text(json.dumps({"share_late": rounded}, indent=2) + "\n", encoding="utf-8")
print(f"drew {len(shares)} airports")
