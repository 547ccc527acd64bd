"""The hot path stays near the bound that the minimal prototype sets; both are measured here, in CPU time."""

from pathlib import Path

from bench.figures import read_figures
from bench.guard import measure

FLOOR = 0.6


def test_longwire_keeps_most_of_its_recorded_part_of_the_prototypes_efficiency(tmp_path: Path) -> None:
    recorded = read_figures()["guard"]["ratio"]
    found = measure(tmp_path)
    print(f"recorded {recorded}, found {found}")
    assert found["ratio"] >= FLOOR * recorded
