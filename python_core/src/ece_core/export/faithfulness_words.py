"""A heatmap's faithfulness figures in words: the same on paper, in the terminal and in the panel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def faithfulness_words(figures: Mapping[str, Any]) -> list[str]:
    """Short sentences on one heatmap of one lymph node, of ``faithfulness`` in `result.json`; absent ones left out.

    Parameters
    ----------
    figures
        shell_share, shell_focus, hottest_in_shell, deletion_area, insertion_area, randomization, repeatability.
    """
    said = []
    if "shell_focus" in figures:
        share, focus = figures["shell_share"], figures["shell_focus"]
        said.append(
            f"{100 * share:.0f} % of the heat on the perinodal shell, {focus:.1f} times its share of the tissue"
        )
        said.append(f"hottest voxel {'on' if figures.get('hottest_in_shell') == 1 else 'off'} the shell")
    elif "hottest_in_shell" in figures:
        said.append("the map is empty")
    if "deletion_area" in figures:
        said.append(
            f"deletion {figures['deletion_area']:.2f}, insertion {figures['insertion_area']:.2f} "
            "(mean probability; good: low, high)"
        )
    if "randomization" in figures:
        said.append(f"correlation with shuffled weights {_signed(figures['randomization'])} (good: 0)")
    if "repeatability" in figures:
        said.append(f"with more noise {_signed(figures['repeatability'])} (good: 1)")
    return said


def accumulated_words(summed: Mapping[str, Any]) -> list[str]:
    """Of how many voxels a map of an outline is the sum, of ``accumulated`` in `result.json`."""
    passes = "1 pass" if summed["passes"] == 1 else f"{summed['passes']:.0f} passes"
    said = f"sum over {summed['voxels']:.0f} voxels in {passes}"
    if summed["correlation"] == 1:
        return [f"{said}, exact"]
    rounded_down = int(1000 * summed["correlation"]) / 1000  # an estimate is never said to be 1
    return [f"{said}, correlation with the exact sum about {rounded_down:.3f}"]


def repair_words(repair: Mapping[str, Any]) -> list[str]:
    """What capsule repair says of one lymph node, of ``capsule_repair`` in `result.json`."""
    as_is, whole = repair["as_is"], repair["whole"]
    said = [f"probability of ENE {as_is:.2f} as scanned, {whole:.2f} with the capsule repaired all around"]
    name, lowest = min(repair["sectors"].items(), key=lambda item: item[1])
    if lowest < as_is:
        said.append(f"of single sectors it falls most with {name}: {lowest:.2f}")
    else:
        said.append("no single sector lowers it")
    return said


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")
