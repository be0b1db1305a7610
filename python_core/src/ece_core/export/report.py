"""`report.html`: the result on paper. One file, no scripts, no links, nothing loaded from anywhere.

It is built from :class:`Result` and voxels alone, from the fields named here; every text is escaped.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

from PIL import Image

from ece_core import RESEARCH_USE_ONLY
from ece_core.classes import CLASS_COLORS, CLASS_NAMES, CLASS_TITLES
from ece_core.export.faithfulness_words import accumulated_words, faithfulness_words, repair_words
from ece_core.export.key_images import HEAT_COLORS, TRANSPARENT_BELOW, WINDOW_HU, KeyImage, Place, key_images, places
from ece_core.export.result import Result
from ece_core.export.sector_figure import sector_svg
from ece_core.geometry import Volume
from ece_core.lymph_nodes.lymph_node import LymphNode
from ece_core.lymph_nodes.patient_networks import explained, title_of
from ece_core.lymph_nodes.patient_rules import PATIENT_RULES

TOP_SHOWN, AT_MOST_SHOWN = 3, 12  # lymph nodes with key images: about 0.3 MB each
TRAINED_ON = "Trained on simulated patients only; its figures have not been confirmed on patients."
HEATMAP_CAUTION = (
    "A heatmap shows what moved the network's score, not where disease is. Values are relative to the strongest one, "
    "so colors do not compare between lymph nodes or methods."
)

Cell = tuple[str, str]  # column title, HTML of the cell


def write_report(path: Path, result: Result, instances: Volume, heatmaps: dict[str, Volume], ct: Volume | None) -> None:
    """Write the report.

    Parameters
    ----------
    instances
        (K, J, I) integers, the labels of ``result.lymph_nodes``.
    heatmaps
        By method; (K, J, I) float32 in [0, 1] with grids of their own.
    ct
        (K, J, I) HU on the grid of ``instances``; without it (a saved result whose CT is not at hand) the report has
        no key images, and says so.
    """
    Path(path).write_text(report_html(result, instances, heatmaps, ct), encoding="utf-8")


def report_html(result: Result, instances: Volume, heatmaps: dict[str, Volume], ct: Volume | None) -> str:
    """The whole page as one string. Parameters as :func:`write_report`."""
    by_probability = sorted(result.lymph_nodes, key=lambda node: -_probability(node))
    shown = lymph_nodes_with_images(by_probability) if ct is not None else []
    parts = [
        _title(),
        _patient(result),
        _warnings(result.warnings),
        _table(by_probability),
        _images(shown, by_probability, result, instances, heatmaps, ct),
        _models(result),
        _run(result),
        f"<footer><strong>{escape(RESEARCH_USE_ONLY)}</strong> Not for diagnosis or treatment decisions.</footer>",
    ]
    return _page("\n".join(part for part in parts if part))


def lymph_nodes_with_images(by_probability: Sequence[LymphNode]) -> list[LymphNode]:
    """The three with the highest probability and all that are not negative; at most twelve."""
    top, rest = by_probability[:TOP_SHOWN], by_probability[TOP_SHOWN:]
    return [*top, *(node for node in rest if node.class_name != "N")][:AT_MOST_SHOWN]


def _page(body: str) -> str:
    css = resources.files("ece_core.export").joinpath("report.css").read_text(encoding="utf-8")
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>Lymph node report</title>
<style>
{css}
{_class_css()}
</style>
</head>
<body>
<div class="banner" role="note">{escape(RESEARCH_USE_ONLY)}</div>
<main>
{body}
</main>
</body>
</html>
"""


def _class_css() -> str:
    rules = [f".{name} {{ --class: rgb{CLASS_COLORS[name]}; }}" for name in CLASS_COLORS]
    stops = ", ".join(f"rgb{color}" for color in HEAT_COLORS)
    return "\n".join([*rules, f".scale {{ background: linear-gradient(to right, {stops}); }}"])


def _title() -> str:
    return """<h1>Cervical lymph nodes on CT</h1>
<p class="subtitle">Found, measured and classed by computer. ENE: extranodal extension (also ECE, extracapsular
extension).</p>"""


def _patient(result: Result) -> str:
    probability = result.patient.get("ece_probability")
    method = str(result.patient.get("method", ""))
    value = escape(_probability_text(probability)) or "not computed"
    bar = "" if probability is None else _bar(float(probability))
    return f"""<section class="summary">
<div class="patient">
<h2>Patient: probability of ENE (also ECE)</h2>
<div class="big">{value}</div>{bar}
<p>{escape(explained(method))}</p>
{_outputs(result.patient.get("outputs"))}
{_left_out(result.lymph_nodes)}
</div>
<div class="counts">
<h2>Lymph nodes: {len(result.lymph_nodes)}</h2>
{_counts(result.lymph_nodes)}
</div>
<div class="input">
<h2>Scan</h2>
{_definitions(_input_facts(result.input))}
</div>
</section>"""


def _outputs(outputs: Any) -> str:
    """What each rule and each network said, when there is more than one answer."""
    if not isinstance(outputs, dict) or len(outputs) < 2:
        return ""
    rows = []
    for name, value in outputs.items():
        rule = PATIENT_RULES.get(name)
        counts = rule is not None and not rule.is_probability
        rows.append((title_of(str(name)), _number(value, 0 if counts else 2)))
    return _definitions(rows)


def _left_out(lymph_nodes: Sequence[LymphNode]) -> str:
    """That the values above know nothing of some lymph nodes."""
    count = sum(bool(node.not_evaluable) for node in lymph_nodes)
    if not count:
        return ""
    them = "lymph node is not evaluable and is" if count == 1 else "lymph nodes are not evaluable and are"
    return f"<p><strong>{count} {them} left out of all these.</strong></p>"


def _counts(lymph_nodes: Sequence[LymphNode]) -> str:
    if not lymph_nodes:
        return "<p>No lymph node was found. That does not exclude disease.</p>"
    rows = []
    for name in _names(lymph_nodes):
        count = sum(node.class_name == name for node in lymph_nodes)
        rows.append(f"<li>{_chip(name)} <strong>{count}</strong> {escape(CLASS_TITLES[name])}</li>")
    axes = [node.short_axis_mm for node in lymph_nodes if node.short_axis_mm is not None]
    largest = f"<p>Largest short axis {max(axes):.1f} mm.</p>" if axes else ""
    return f'<ul class="plain">{"".join(rows)}</ul>{largest}'


def _names(lymph_nodes: Sequence[LymphNode]) -> list[str]:
    """Classes that the networks told apart, the more serious first."""
    told = {name for node in lymph_nodes for name in (node.class_name, *node.class_probabilities)}
    names = told if told - set(CLASS_NAMES) else CLASS_NAMES
    return [name for name in reversed(CLASS_TITLES) if name in names]


def _input_facts(facts: dict[str, Any]) -> list[tuple[str, str]]:
    rows = []
    if facts.get("format"):
        rows.append(("Format", " ".join(str(facts[key]) for key in ("format", "modality") if facts.get(key)).upper()))
    if facts.get("shape_kji"):
        rows.append(("Voxels", " × ".join(str(n) for n in reversed(facts["shape_kji"]))))
    if facts.get("spacing_mm"):
        rows.append(("Spacing", " × ".join(_number(x, 2) for x in reversed(facts["spacing_mm"])) + " mm"))
    if facts.get("series_uid_sha256"):
        rows.append(("Series (hash)", str(facts["series_uid_sha256"])[:12]))
    return rows


def _warnings(warnings: Sequence[str]) -> str:
    if not warnings:
        return ""
    items = "".join(f"<li>{escape(warning)}</li>" for warning in warnings)
    return f'<section class="warnings"><h2>Warnings</h2><ul>{items}</ul></section>'


def _table(by_probability: Sequence[LymphNode]) -> str:
    if not by_probability:
        return ""
    rows = [_cells(node) for node in by_probability]
    used = [column for column in range(len(rows[0])) if any(row[column][1] for row in rows)]
    head = "".join(f"<th>{escape(rows[0][column][0])}</th>" for column in used)
    body = "".join(
        f'<tr class="{node.class_name}">' + "".join(f"<td>{row[column][1]}</td>" for column in used) + "</tr>\n"
        for node, row in zip(by_probability, rows, strict=True)
    )
    return f"""<section>
<h2>All lymph nodes, by probability of ENE</h2>
<div class="wide"><table class="nodes">
<thead><tr>{head}</tr></thead>
<tbody>
{body}</tbody>
</table></div>
<p class="note">Short axis: largest over axial slices of the section's smallest diameter. Position: patient
coordinates L, P, S of the center of mass. Necrosis: share of the volume. {_certainty_note(by_probability)}What was
not computed is left out.</p>
</section>"""


def _certainty_note(nodes: Sequence[LymphNode]) -> str:
    if all(node.class_set is None for node in nodes):
        return ""
    return (
        "Certainty: the classes that fit; each class was left out of no more simulated lymph nodes of that class than "
        "the model's card says. "
    )


def _contour(node: LymphNode) -> str:
    if node.contour_risk is None:
        return ""
    expected = _number((node.contour_quality or {}).get("score"), 2)
    return f"{node.contour_risk} risk" + (f", Dice {expected} expected" if expected else "")


def _cells(node: LymphNode) -> list[Cell]:
    """Every field of a lymph node, in the order in which a radiologist asks for it."""
    names = (*CLASS_NAMES, "metastatic")
    probabilities = [(f"P({name})", _number(node.class_probabilities.get(name), 2)) for name in names]
    position = " ".join(_number(x, 0) for x in node.centroid_lps_mm) if node.centroid_lps_mm else ""
    volume_ml = node.volume_mm3 / 1000 if node.volume_mm3 is not None else None
    necrosis = f"{100 * node.necrosis_fraction:.0f} %" if node.necrosis_fraction is not None else ""
    hu = " ± ".join(text for text in (_number(node.mean_hu, 0), _number(node.sd_hu, 0)) if text)
    return [
        ("Lymph node", f"<strong>{escape(node.id)}</strong>"),
        ("Class", _chip(node.class_name)),
        ("Probability of ENE", _probability_cell(node)),
        ("Certainty", escape(node.certainty)),  # beside the number, where nobody can read one without the other
        ("Side, level", escape(_place(node))),
        ("Short axis mm", _number(node.short_axis_mm, 1)),
        ("Long axis mm", _number(node.long_axis_mm, 1)),
        ("Volume mL", _number(volume_ml, 2)),
        ("Mean ± SD HU", hu),
        ("Necrosis", necrosis),
        *probabilities,
        ("Position mm", position),
        ("Contour", escape(_contour(node))),
        ("Source", escape(node.source.lower())),
        ("Status", escape(node.status)),
        ("Remarks", escape("; ".join(node.flags))),
    ]


def _images(
    shown: Sequence[LymphNode],
    everything: Sequence[LymphNode],
    result: Result,
    instances: Volume,
    heatmaps: dict[str, Volume],
    ct: Volume | None,
) -> str:
    if not everything:
        return ""
    if ct is None:
        words = "None: the CT was not at hand when this was written."
        return f'<section><h2>Key images</h2><p class="note">{words}</p></section>'
    titles = {heatmap["method"]: str(heatmap.get("title") or heatmap["method"]) for heatmap in result.heatmaps}
    rows = ["CT", *(titles.get(method, method) for method in heatmaps)]
    maps = list(heatmaps.values())
    where = places(instances, shown)
    entries = {heatmap["method"]: heatmap for heatmap in result.heatmaps}
    measures = {node.id: ["", *(_measures(entries.get(method, {}), node) for method in heatmaps)] for node in shown}
    cards = "\n".join(_card(node, rows, maps, where[node.id], ct, measures[node.id]) for node in shown)
    low, high = WINDOW_HU
    return f"""<section class="images">
<h2>Key images</h2>
<p class="note">{_which(len(shown), len(everything))} Window {_number(low, 0)} to {_number(high, 0)} HU, bar
10 mm, cut through the lymph node's center, outline in the color of its class.</p>
{_legend(result) if heatmaps else ""}
<div class="cards">
{cards}
</div>
</section>"""


def _which(shown: int, total: int) -> str:
    if shown == total:
        return f"All {total} lymph nodes are shown." if total > 1 else "The lymph node is shown."
    return (
        f"{shown} of {total} lymph nodes are shown: the {TOP_SHOWN} with the highest probability and those classed as "
        f"metastatic, at most {AT_MOST_SHOWN}. The table above lists all."
    )


def _legend(result: Result) -> str:
    scalings = {str(heatmap["scaling"]) for heatmap in result.heatmaps if heatmap.get("scaling")}
    scaled = f" Scaling: {escape('; '.join(each.rstrip('.') for each in sorted(scalings)))}." if scalings else ""
    return f"""<div class="legend"><span>{100 * TRANSPARENT_BELOW:.0f} %</span><span class="scale"></span><span>100 %
of the maximum; transparent below {100 * TRANSPARENT_BELOW:.0f} %</span></div>
<p class="note">{escape(HEATMAP_CAUTION)}{scaled}</p>"""


def _measures(entry: dict[str, Any], node: LymphNode) -> str:
    """How far a heatmap of this lymph node can be trusted, and capsule repair as a figure; nothing if not computed."""
    repair = (entry.get("capsule_repair") or {}).get(node.id)
    figure = "" if repair is None else sector_svg(repair)
    words = [] if repair is None else repair_words(repair)
    words += faithfulness_words((entry.get("faithfulness") or {}).get(node.id) or {})
    summed = (entry.get("accumulated") or {}).get(node.id)
    words += [] if summed is None else accumulated_words(summed)
    said = f'<p class="measures">{escape("; ".join(words))}.</p>' if words else ""
    return said + figure


def _card(
    node: LymphNode,
    titles: Sequence[str],
    heatmaps: Sequence[Volume],
    place: Place,
    ct: Volume,
    measures: Sequence[str],
) -> str:
    strips = "\n".join(
        f'<div class="strip"><h4>{escape(title)}</h4>{"".join(_figure(image, node, title) for image in row)}'
        f"{said}</div>"
        for title, row, said in zip(titles, key_images(ct, place, heatmaps), measures, strict=True)
    )
    facts = [_place(node)]
    facts += [f"short axis {node.short_axis_mm:.1f} mm"] if node.short_axis_mm is not None else []
    facts += [f"{node.volume_mm3 / 1000:.2f} mL"] if node.volume_mm3 is not None else []
    probability = _probability_text(node.ece_probability)
    probability = f"probability of ENE {escape(probability)}" if probability else ""
    probability = "ENE not evaluable" if node.not_evaluable else probability
    facts += [node.certainty] if node.certainty else []
    return f"""<article class="card {node.class_name}">
<h3>{escape(node.id)} {_chip(node.class_name)} <strong>{probability}</strong>
<span class="facts">{escape(", ".join(fact for fact in facts if fact))}</span></h3>
<div class="strips">
{strips}
</div>
</article>"""


def _figure(image: KeyImage, node: LymphNode, title: str) -> str:
    letters = "".join(f'<span class="letter {edge}">{letter}</span>' for edge, letter in image.plane.letters.items())
    alt = escape(f"{node.id}, {image.plane.name}, {title}")
    return (
        f'<figure><div class="view"><img src="data:image/png;base64,{_png(image)}" alt="{alt}">{letters}'
        f'<span class="bar10" style="width:{1000 / image.field_mm:.2f}%"></span></div>'
        f"<figcaption>{image.plane.name}</figcaption></figure>"
    )


def _png(image: KeyImage) -> str:
    file = io.BytesIO()
    Image.fromarray(image.pixels).save(file, "PNG", compress_level=6)
    return base64.b64encode(file.getvalue()).decode("ascii")


def _models(result: Result) -> str:
    rows = "".join(
        f"<tr><td>{escape(str(model.get('name', '')))}</td><td>{escape(str(model.get('version', '')))}</td>"
        f"<td>{escape(str(model.get('task', '')))}</td>"
        f"<td>{escape(str(model.get('training') or TRAINED_ON))}</td>"
        f"<td><code>{escape(str(model.get('sha256', ''))[:12])}</code></td></tr>"
        for model in result.models
    )
    if not rows:
        return ""
    return f"""<section>
<h2>Models</h2>
<table><thead><tr><th>Name</th><th>Version</th><th>Task</th><th>Training</th><th>SHA-256</th></tr></thead>
<tbody>{rows}</tbody></table>
</section>"""


def _run(result: Result) -> str:
    longest = max(result.seconds.values(), default=0) or 1
    rows = "".join(
        f"<tr><td>{escape(str(stage))}</td><td>{_number(value, 1)} s</td><td>{_bar(value / longest)}</td></tr>"
        for stage, value in result.seconds.items()
    )
    software = " ".join(str(result.software.get(key, "")) for key in ("name", "version")).strip()
    return f"""<section>
<h2>Run</h2>
<p>{escape(software)} on {escape(result.device)}, {_number(sum(result.seconds.values()), 1)} s in all.</p>
<table class="seconds"><thead><tr><th>Stage</th><th>Time</th><th></th></tr></thead><tbody>{rows}</tbody></table>
</section>"""


def _chip(class_name: str) -> str:
    text = class_name.replace("_", " ")
    return f'<span class="chip {class_name}" title="{escape(CLASS_TITLES[class_name])}">{text}</span>'


def _probability_cell(node: LymphNode) -> str:
    if node.not_evaluable:
        return "<strong>not evaluable</strong>"
    probability = node.ece_probability
    if probability is None:
        return ""
    return f'<span class="value">{escape(_probability_text(probability))}</span>{_bar(probability)}'


def _bar(fraction: float) -> str:
    width = 100 * min(max(fraction, 0.0), 1.0)
    return f'<span class="bar"><span style="width:{width:.1f}%"></span></span>'


def _definitions(rows: Iterable[tuple[str, str]]) -> str:
    return "<dl>" + "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows) + "</dl>"


def _place(node: LymphNode) -> str:
    return " ".join(word for word in (node.side, node.level) if word)


def _probability(node: LymphNode) -> float:
    return -1.0 if node.ece_probability is None else node.ece_probability


def _probability_text(probability: float | None) -> str:
    """Two digits, and never a certainty that rounding made."""
    if probability is None:
        return ""
    return "> 0.99" if probability >= 0.995 else "< 0.01" if probability < 0.005 else f"{probability:.2f}"


def _number(value: Any, digits: int) -> str:
    """Plain text, a true minus, nothing when not computed."""
    if value is None or not isinstance(value, (int, float)) or value != value:
        return ""
    return f"{value:.{digits}f}".replace("-", "−")
