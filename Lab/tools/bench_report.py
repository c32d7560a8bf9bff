"""bench_report.py RESULTS JSON SVG CONTENDER…: medians of Lab/bench's results as a table, JSON and a chart."""
import json
import statistics
import sys

results_path, json_path, svg_path, *contenders = sys.argv[1:]
figures = {}
for line in open(results_path):
    entry = json.loads(line)
    figure = figures.setdefault(
        entry["what"], {"unit": entry["unit"], "better": entry["better"], "values": {}}
    )
    figure["values"].setdefault(entry["who"], []).append(entry["value"])

report = []
for what, figure in figures.items():
    medians = {who: statistics.median(v) for who, v in figure["values"].items()}
    row = {"figure": what, "unit": figure["unit"], "better": figure["better"], "rounds": len(
        next(iter(figure["values"].values()))), "medians": medians}
    ours = medians.get("skein")
    row["ratios"] = {
        who: ours / value for who, value in medians.items() if who != "skein" and ours is not None and value
    }
    report.append(row)
json.dump(report, open(json_path, "w"), indent=1)


def number(value):
    return "-" if value is None else f"{value:.3g}" if value < 1000 else f"{value:.0f}"


print(f"\n{'figure':44} {'unit':12}" + "".join(f"{who:>16}" for who in contenders) + f"{'ours/wg-go':>12}")
for row in report:
    ratio = row["ratios"].get("wireguard-go")
    print(
        f"{row['figure']:44} {row['unit']:12}"
        + "".join(f"{number(row['medians'].get(who)):>16}" for who in contenders)
        + f"{number(ratio):>12}"
    )

# One group of bars for each throughput, the fastest of a group as long as the chart is wide.
COLOURS = ["#9aa5b1", "#5b8db8", "#b88d5b", "#2f855a"]
shown = [r for r in report if r["better"] == "higher"]
bar, gap, left, width = 16, 30, 190, 420
height = sum(gap + bar * len(r["medians"]) for r in shown) + 20
parts = [
    f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 90}" height="{height}" '
    'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
]
y = 10
for row in shown:
    parts.append(f'<text x="10" y="{y + 12}" font-weight="bold">{row["figure"]} ({row["unit"]})</text>')
    y += 18
    longest = max(row["medians"].values()) or 1
    for who in contenders:
        if who not in row["medians"]:
            continue
        value = row["medians"][who]
        colour = COLOURS[3] if who == "skein" else COLOURS[contenders.index(who) % 3]
        parts.append(
            f'<text x="{left - 8}" y="{y + 12}" text-anchor="end">{who}</text>'
            f'<rect x="{left}" y="{y + 2}" width="{width * value / longest:.1f}" height="{bar - 4}" fill="{colour}"/>'
            f'<text x="{left + width * value / longest + 6:.1f}" y="{y + 12}">{number(value)}</text>'
        )
        y += bar
    y += gap - 18
parts.append("</svg>")
open(svg_path, "w").write("\n".join(parts))
