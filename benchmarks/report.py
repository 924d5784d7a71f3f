"""What was measured, for people: tables on the terminal, in docs/benchmarks.md and as a page.

A result is the dictionary that bench.py writes as JSON. Each table is made once, as rows of text, for all three.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from qsdk.debug import page  # noqa: E402

TEXT = ("network", "class of operator", "best peer")  # columns of words
BEGIN, END = "<!-- begin: make bench-docs -->", "<!-- end: make bench-docs -->"


@dataclass(frozen=True)
class Rows:
    """A table as text."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]

    def rich(self) -> Table:
        """For a terminal."""
        table = Table(title=self.title)
        for position, column in enumerate(self.columns):
            table.add_column(column, justify="left" if column in TEXT else "right", no_wrap=position == 0)
        for row in self.rows:
            table.add_row(*row)
        return table

    def markdown(self) -> str:
        """For a document."""
        lines = [self.columns, tuple("---" if column in TEXT else "---:" for column in self.columns), *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def html(self) -> str:
        """For a page."""
        return page.section(self.title, "", page.table(self.columns, self.rows, [""] * len(self.rows)))


def duration(nanoseconds: float) -> str:
    """Microseconds, three digits or more."""
    microseconds = nanoseconds / 1000
    digits = 2 if microseconds < 10 else 1 if microseconds < 100 else 0
    return f"{microseconds:,.{digits}f}"


def _cells(result: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, dict[str, Any], float]]:
    """Network, threads, the engines' values, frequency."""
    for network in result["networks"].values():
        for threads, cell in network["threads"].items():
            yield network, threads, cell["engines"], cell["frequency"]


def peers(result: dict[str, Any]) -> list[str]:
    """Names of the engines that are not qsdk, measured or missing."""
    return [name for name in result["titles"] if not name.startswith("qsdk")]


def ratio(values: dict[str, Any], names: Sequence[str], clock: str) -> tuple[str, float] | None:
    """The best peer, and its time by qsdk's; None where either has none."""
    times = {name: values[name][clock] for name in names if clock in values.get(name, {})}
    if not times or clock not in values.get("qsdk", {}):
        return None
    best = min(times, key=times.__getitem__)
    return best, times[best] / values["qsdk"][clock]


def against_peers(result: dict[str, Any], clock: str) -> Rows:
    """Every engine's time, and the ratio of the best peer's to qsdk's."""
    names = peers(result)
    rows = []
    for network, threads, values, _ in _cells(result):
        if clock == "cpu" and threads != "1":
            continue  # of several threads it is a sum, and those that wait by spinning count
        found = ratio(values, names, clock)
        rows.append(
            (
                network["title"],
                threads,
                *(duration(values[n][clock]) if clock in values.get(n, {}) else "-" for n in ("qsdk", *names)),
                result["titles"][found[0]] if found else "-",
                f"{found[1]:.2f}" if found else "-",
            )
        )
    what = {"wall": "median time", "least_wall": "least time", "cpu": "median CPU time"}[clock]
    titles = [result["titles"][name] for name in ("qsdk", *names)]
    return Rows(f"{what} of a run, µs", ("network", "threads", *titles, "best peer", "best peer / qsdk"), rows)


def against_bound(result: dict[str, Any]) -> Rows:
    """qsdk alone: products per cycle beside what the CPU can do, the gain of threads, and AVX2."""
    peaks = result["machine"]["peaks"]
    isas = {"qsdk": result["machine"]["isas"][0], "qsdk-avx2": "avx2"}
    columns = [
        "network",
        "MMAC",
        "operators",
        "load, µs",
        "1 thread, µs",
        "MAC/cycle",
        "of peak",
        "2 threads, µs",
        "gain",
    ]
    columns += ["avx2, µs", "MAC/cycle", "of peak", "avx2 / best"]
    rows = []
    for network in result["networks"].values():
        one, two = (network["threads"].get(t, {}) for t in ("1", "2"))

        def rate(engine: str, network: dict[str, Any] = network, one: dict[str, Any] = one) -> list[str]:
            value = one.get("engines", {}).get(engine, {}).get("wall")
            if value is None or "macs" not in network:
                return ["-", "-", "-"]
            per_cycle = network["macs"] / (value * one["frequency"])
            peak = peaks.get(isas[engine])
            return [duration(value), f"{per_cycle:.1f}", f"{per_cycle / peak:.0%}" if peak else "-"]

        def quotient(above: float | None, below: float | None) -> str:
            return f"{above / below:.2f}" if above and below else "-"

        alone, avx2 = (one.get("engines", {}).get(e, {}).get("wall") for e in isas)
        load = one.get("engines", {}).get("qsdk", {}).get("load")
        pair = two.get("engines", {}).get("qsdk", {}).get("wall")
        rows.append(
            (
                network["title"],
                f"{network['macs'] / 1e6:,.1f}" if "macs" in network else "-",
                str(network.get("operators", "-")),
                duration(load) if load else "-",
                *rate("qsdk"),
                duration(pair) if pair else "-",
                quotient(alone, pair),
                *rate("qsdk-avx2"),
                quotient(avx2, alone),
            )
        )
    return Rows("products per cycle, and the bound", tuple(columns), rows)


def by_class(result: dict[str, Any]) -> Rows:
    """Where qsdk's time goes on one thread; classes that take less than 2 % are left out."""
    peak = result["machine"]["peaks"].get(result["machine"]["isas"][0])
    rows = []
    for network in result["networks"].values():
        cycles = network["threads"].get("1", result["machine"])["frequency"]
        total = sum(entry["nanoseconds"] for entry in network["classes"]) or 1
        title = network["title"]
        for entry in network["classes"]:
            share, rate = entry["nanoseconds"] / total, entry["macs"] / (max(1, entry["nanoseconds"]) * cycles)
            if share >= 0.02:
                count, spent = str(entry["operators"]), duration(entry["nanoseconds"])
                rates = (f"{rate:.1f}", f"{rate / peak:.0%}" if peak else "-") if entry["macs"] else ("-", "-")
                rows.append((title, entry["class"], count, spent, f"{share:.0%}", *rates))
                title = ""
    columns = ("network", "class of operator", "operators", "least time, µs", "share", "MAC/cycle", "of peak")
    return Rows("where the time goes", columns, rows)


def all_tables(result: dict[str, Any]) -> list[Rows]:
    """In the order of the document."""
    return [
        *(against_peers(result, clock) for clock in ("wall", "least_wall", "cpu")),
        against_bound(result),
        by_class(result),
    ]


def tables(result: dict[str, Any]) -> list[Table]:
    """For the terminal."""
    return [table.rich() for table in all_tables(result)]


def remarks(result: dict[str, Any]) -> list[str]:
    """What is not in the tables, each with its reason; outputs far from the float model's; and a busy machine."""
    lines = [f"{result['titles'].get(n, n)}: not measured: {reason}" for n, reason in result["missing"].items()]
    load = result["machine"]["load"]
    if load > 1:
        lines.append(
            f"Other programs kept this machine busy (load {load:.1f} before it began): least times and CPU times mean "
            "more than medians, and those of several threads mean little."
        )
    found: dict[tuple[str, str], dict[str, list[str]]] = {}
    for network, threads, values, _ in _cells(result):
        for name, value in values.items():
            reason = value.get("error", "")
            if not reason and value["similarity"] < 0.9:
                reason = f"its output has a cosine of {value['similarity']:.3f} with the float model's"
            if reason:
                places = found.setdefault((result["titles"][name], reason), {})
                places.setdefault(threads, []).append(network["title"])
    for (title, reason), places in found.items():
        networks = list(dict.fromkeys(n for names in places.values() for n in names))
        where = "every network" if len(networks) == len(result["networks"]) > 1 else "; ".join(networks)
        lines.append(f"{title}, {' and '.join(places)} thread{'s' * (list(places) != ['1'])}, {where}: {reason}")
    return lines


def host(result: dict[str, Any]) -> list[str]:
    """Machine, versions and command, a line each."""
    machine = result["machine"]
    frequencies = [frequency for *_, frequency in _cells(result)]
    peaks = ", ".join(f"{isa} {peak:.1f}" for isa, peak in machine["peaks"].items() if peak)
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    empty = ", ".join(f"{kind} of 64 bytes {spent:.1f} ns" for kind, spent in result["overhead"].items())
    settings = result["settings"]
    return [
        f"{machine['cpu']} ({machine['family']}), {machine['cores']} cores, {machine['caches']}; {machine['kernel']}; "
        f"{statistics.median(frequencies) if frequencies else machine['frequency']:.2f} GHz while it ran; "
        f"load {machine['load']:.1f} before",
        f"most int8 products in a cycle, measured: {peaks}",
        f"an operator more in the runtime: {empty}",
        f"{versions}",
        f"`{result['command']}`: {settings['rounds']} rounds of {settings['milliseconds']:g} ms for each engine",
    ]


def page_of(result: dict[str, Any]) -> str:
    """A page: the tables, and a bar for each engine's median."""
    sections = []
    for network, threads, values, _ in _cells(result):
        times = {name: value["wall"] for name, value in values.items() if "wall" in value}
        most = max(times.values(), default=1)
        colors = {name: page.QUANTIZED_COLOR if name.startswith("qsdk") else page.FLOAT_COLOR for name in times}
        rows = [
            (result["titles"][name], duration(times[name]), page.bar(times[name] / most, colors[name], 400))
            for name in sorted(times, key=times.__getitem__)
        ]
        content = page.table(("engine", "median, µs", ""), rows, [""] * len(rows))
        sections.append(page.section(f"{network['title']}, {threads} threads", "", content))
    lines = page.section("Where", " ".join([*host(result), *remarks(result)]), "")
    return page.page("qsdk and its peers", lines, *(t.html() for t in all_tables(result)), *sections)


def write_docs(result: dict[str, Any], path: Path) -> None:
    """Replaces what lies between the marks in the document."""
    text = path.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    if not after:
        raise SystemExit(f"{path} has lost its marks, {BEGIN} and {END}")
    parts = ["\n".join(f"- {line}" for line in host(result))]
    for table in all_tables(result):
        parts += [f"### {table.title[0].upper()}{table.title[1:]}", table.markdown()]
    missing = remarks(result)
    parts += ["What to know beside the tables:\n\n" + "\n".join(f"- {line}" for line in missing)] if missing else []
    path.write_text(before + BEGIN + "\n\n" + "\n\n".join(parts) + "\n\n" + END + after, encoding="utf-8")
