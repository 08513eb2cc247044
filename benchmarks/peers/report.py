# SPDX-License-Identifier: Apache-2.0
"""The tables and pictures of docs/performance.md, from what scripts/bench-peers has measured."""
import json
import re
import sys


def update(path, folder):
    """Brings docs/performance.md up to date with the results in a file: its tables, and its pictures as SVG and PNG
    where there is matplotlib."""
    results = json.loads(path.read_text())
    document = folder / "performance.md"
    text = document.read_text()
    tables = {"machine": machine, "comparisons": comparisons, "arithmetic": arithmetic, "process": process,
              "stages": stages, "threads": threads, "scaling": scaling}
    for name, table in tables.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
        if not pattern.search(text):
            raise SystemExit(f"{document} has no place for {name}")
        lines = "\n".join(table(results))
        text = pattern.sub(lambda _, lines=lines, begin=begin, end=end: f"{begin}{lines}\n{end}", text)
    document.write_text(text)
    print(f"wrote {document}", file=sys.stderr)
    draw(results, folder)


def rows(*lines):
    """A table in Markdown: its head, and what follows."""
    head, *body = [list(map(str, line)) for line in lines]
    return ["| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *body)]


def contestants(results):
    """(comparison, contestant), one after the other."""
    return [(comparison, one) for comparison in results["comparisons"] for one in comparison["contestants"]]


def machine(results):
    versions = {one["name"]: one["version"] for _, one in contestants(results) if one["name"] != "Touchstone"}
    own = results["touchstone"]
    peers = ", ".join(f"{name} {version}" for name, version in versions.items())
    return [f"{own['processor']}; {results['date']}; Touchstone {own['version']} ({own['commit']}, {own['compiler']}),",
            f"{peers}; `{results['command']}`."]


def limits(comparison):
    count = comparison["threads"]
    return f"`{comparison['network']}`, {count} thread{'s' if count > 1 else ''}" + (
        f", {comparison['instruction_set']}" if comparison["instruction_set"] else "")


def comparisons(results):
    lines = [("network, batch 64", "", "minimum", "median", "ratio of minima", "ratio of medians", "test accuracy")]
    for comparison, one in contestants(results):
        ours = one["name"] == "Touchstone"
        ratios = ("", "") if ours else (f"{one['ratio_of_minima']:.1f}", f"**{one['ratio_of_medians']:.1f}**")
        lines.append((limits(comparison) if ours else "", one["name"], f"{one['minimum']:.3f} s",
                      f"{one['median']:.3f} s", *ratios, f"{one['accuracy']:.2%}"))
    return rows(*lines)


def process(results):
    whole = results["whole_process"]
    return [f"minimum {whole['minimum']:.2f} s, median {whole['median']:.2f} s of {len(whole['seconds'])}, {whole['epochs']} "
            f"epochs, {whole['accuracy']:.2%}; {whole['load_seconds']:.2f} s of it load the four files."]


def arithmetic(results):
    """What a step has to multiply and add, by the plain sums; Winograd's method needs less."""
    peak = results["stages"]["peak_flops_per_second"]
    lines = [("network", "multiply-adds an image", "FLOP a step of 64", "time a step, 1 thread", "GFLOP/s",
              "share of the FMA peak")]
    for name in ("seed", "wide"):
        stage = results["stages"][name]
        flops = next(2 * comparison["multiply_adds_per_image"] * stage["batch_size"]
                     for comparison in results["comparisons"] if comparison["network"] == name)
        seconds = stage["seconds"] / stage["steps"]
        lines.append((f"`{name}`", f"{flops // 2 // stage['batch_size']:,}", f"{flops / 1e6:.1f} M",
                      f"{seconds * 1e6:,.0f} us", f"{flops / seconds / 1e9:.0f}", f"{flops / seconds / peak:.0%}"))
    return [*rows(*lines), "", f"The peak of one thread, measured by a loop of FMAs: {peak / 1e9:.0f} GFLOP/s."]


def stages(results):
    order = {}
    for name in ("seed", "wide"):
        for entry in results["stages"][name]["operations"]:
            order.setdefault((entry["operation"], entry["layer"]), {})[name] = entry
    lines = [("operation", "layer", "`seed`", "GFLOP/s", "`wide`", "GFLOP/s")]
    for (operation, layer), found in order.items():
        if max(entry["share"] for entry in found.values()) < 0.01:
            continue
        cells = []
        for name in ("seed", "wide"):
            entry = found.get(name)
            speed = f"{entry['flops_per_second'] / 1e9:.0f}" if entry and entry["flops"] else ""
            cells += [f"{entry['share']:.1%}" if entry else "", speed]
        lines.append((f"`{operation}`", layer or "", *cells))
    return rows(*lines)


def threads(results):
    regions, busy = results["regions"], results["busy_core"]
    return [f"- Two regions take {regions['microseconds_per_step']:.1f} us a step on {regions['threads']} threads.",
            f"- With another process busy on one of the cores, two threads take {busy['ratio_of_medians']:.2f} times as long "
            "as one\n  thread beside the same process (medians of an epoch)."]


def scaling(results):
    lines = [("", "1 thread", "all cores")]
    units = {"batch": "batch of {}", "width": "filters times {}", "size": "{0}x{0} pixels"}
    points = {}
    for row in results["scaling"]:
        if row["value"] is not None:
            points.setdefault((row["axis"], row["value"]), []).append(row["seconds_per_image"] * 1e6)
    for (axis, value), times in points.items():
        lines.append((units[axis].format(value), *(f"{microseconds:.3g} us" for microseconds in times)))
    worst = max(results["departures"], key=lambda point: point["factor"])
    where = units[worst["axis"]].format(worst["value"])
    return [*rows(*lines), "", "Farthest from the straight line between its neighbours, with logarithmic scales: "
            f"{worst['factor']:.2f} times ({where}, {worst['threads']} thread"
            f"{'s' if worst['threads'] > 1 else ''})."]


def draw(results, folder):
    try:
        import matplotlib
    except ImportError:
        print("no pictures: this Python has no matplotlib", file=sys.stderr)
        return
    matplotlib.use("Agg")
    matplotlib.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False,
                                "svg.hashsalt": "touchstone"})
    save(draw_comparison(results), folder / "performance-peers")
    save(draw_scaling(results), folder / "performance-scaling")


def save(figure, stem):
    figure.savefig(stem.with_suffix(".svg"), bbox_inches="tight", metadata={"Date": None})
    figure.savefig(stem.with_suffix(".png"), bbox_inches="tight", dpi=110)


colours = {"Touchstone": "#1b7f5c", "PyTorch": "#c9662b", "JAX": "#7a6fb0"}


def draw_comparison(results):
    import matplotlib.pyplot as pyplot

    comparisons = results["comparisons"]
    figure, axes = pyplot.subplots(1, len(comparisons), figsize=(2.6 * len(comparisons), 3.2), squeeze=False)
    for axis, comparison in zip(axes[0], comparisons):
        contestants = comparison["contestants"]
        bars = axis.bar([c["name"] for c in contestants], [c["median"] for c in contestants],
                        color=[colours.get(c["name"], "#888888") for c in contestants], width=0.65)
        axis.bar_label(bars, [f"{c['median']:.2f} s" for c in contestants], padding=2)
        axis.margins(y=0.12)
        limit = f", {comparison['instruction_set']}" if comparison["instruction_set"] else ""
        threads = comparison["threads"]
        axis.set_title(f"{comparison['network']}\n{threads} thread{'s' if threads > 1 else ''}{limit}", fontsize=10)
        axis.set_yticks([])
        axis.spines["left"].set_visible(False)
    figure.suptitle(f"Seconds an epoch, median of {len(comparisons[0]['contestants'][0]['seconds'])} "
                    f"({results['processor']}, {results['cores']} cores)", fontsize=11, y=1.06)
    figure.tight_layout()
    return figure


def draw_scaling(results):
    import matplotlib.pyplot as pyplot

    titles = {"batch": ("batch size", "seed, 28x28"), "width": ("times the filters of seed", "batch 64, 28x28"),
              "size": ("pixels a side", "seed, batch 64")}
    figure, axes = pyplot.subplots(1, 3, figsize=(11, 3.4))
    for axis, (name, (label, title)) in zip(axes, titles.items()):
        rows = [row for row in results["scaling"] if row["axis"] == name]
        for threads in sorted({row["threads"] for row in rows}):
            points = [(row["value"], row["seconds_per_image"] * 1e6) for row in rows if row["threads"] == threads]
            axis.plot(*zip(*points), marker="o", markersize=4, color="#1b7f5c" if threads > 1 else "#89b5a6",
                      label=f"{threads} thread{'s' if threads > 1 else ''}")
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        axis.set_xlabel(label)
        axis.set_title(title, fontsize=10)
        values = sorted({row["value"] for row in rows})
        axis.set_xticks(values, [str(value) for value in values], fontsize=8)
        axis.minorticks_off()
        low, high = axis.get_ylim()
        ticks = [m * 10**e for e in range(-1, 5) for m in (1, 2, 5) if low <= m * 10**e <= high]
        axis.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes[0].set_ylabel("microseconds an image")
    axes[0].set_ylim(bottom=1)
    axes[0].legend(frameon=False)
    figure.tight_layout()
    return figure
