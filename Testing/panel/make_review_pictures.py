"""Draws "A review in 13 pictures": python Testing/panel/make_review_pictures.py [FOLDER]

Runs the same steps as test_review_flow.py (review_steps.py) on a finer simulated scan and writes one picture per step
into Resources/Screenshots/review (or FOLDER), and the page docs/review_in_13_pictures.md when FOLDER is not given.
Left: the panel on stand-ins of Slicer's widgets. Right: slice and 3D views drawn by the real MRML without a window;
where EGL draws nothing, it stops and names the Debian packages.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")  # before vtk makes its first window

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
for folder in (HERE.parent / "mrml", ROOT / "LymphNodeSeg", ROOT / "ECEDetector"):
    sys.path.append(str(folder))  # after this folder: both have a make_screenshots

import numpy as np  # noqa: E402
import panel_host  # noqa: E402
import review_page  # noqa: E402
from PIL import Image, ImageDraw, ImageFilter, ImageFont  # noqa: E402
from review_steps import NAME, STEPS, VIEWS, ReviewFlow, Step, show_scan  # noqa: E402

SCREENSHOTS = ROOT / "Resources" / "Screenshots" / "review"
SHAPE, SPACING_MM = (90, 232, 232), (2.2, 1.08, 1.08)
PANEL_WIDTH, BAND, GAP = 800, 30, 4  # pixels
AXIAL, SMALL, THREE_D = (440, 420), (218, 200), (440, 460)
NECK_MM, CLOSE_MM = 200.0, 110.0  # fields of view
BACKGROUND, INK = (236, 236, 236), (30, 30, 30)
MOST_BYTES = 150_000
GRAY_STEPS = (3, 5, 7, 9, 12, 16, 20)  # between gray levels: as fine as fits into MOST_BYTES; colors stay
NOISE = 22  # gray levels; text and edges differ more from what is around them
GRAY = 6  # red, green and blue this close together
RESEARCH = "Research use only. Not a medical device. Simulated scan, made-up values."


class DrawnViews:
    """Axial, coronal, sagittal and 3D, as in the layout "ECE review"."""

    def __init__(self) -> None:
        import slicer_views

        sizes = {"Red": AXIAL, "Green": SMALL, "Yellow": SMALL}
        self.slices = {name: slicer_views.SliceView(name, VIEWS[name], sizes[name]) for name in VIEWS}
        self.threeD = slicer_views.ThreeDView("1", THREE_D)

    def fit(self, volumeNode) -> None:
        show_scan(volumeNode)
        for view in self.slices.values():
            view.fit()
            view.field_of_view(NECK_MM)

    def image(self, flow: ReviewFlow) -> Image.Image:
        """Closer where a lymph node is selected, as a reader zooms in."""
        selected = flow.panel.table.selected() if flow.state is not None else None
        for view in self.slices.values():
            view.field_of_view(CLOSE_MM if selected else NECK_MM)
        self._look_at(flow, selected)
        self._plain()
        parts = {name: without_noise(view.pixels()) for name, view in self.slices.items()}
        whole = Image.new("RGB", (AXIAL[0], AXIAL[1] + SMALL[1] + THREE_D[1] + 2 * GAP), (60, 60, 60))
        whole.paste(parts["Red"], (0, 0))
        whole.paste(parts["Green"], (0, AXIAL[1] + GAP))
        whole.paste(parts["Yellow"], (SMALL[0] + GAP, AXIAL[1] + GAP))
        if flow.state is None:  # nothing in 3D yet
            return whole.crop((0, 0, AXIAL[0], AXIAL[1] + SMALL[1] + GAP))
        whole.paste(Image.fromarray(self.threeD.pixels()), (0, AXIAL[1] + SMALL[1] + 2 * GAP))
        return whole

    def _plain(self) -> None:
        """3D dark and without a box; a scene that was closed has set it back."""
        node = self.threeD.node
        node.SetBoxVisible(False)
        node.SetAxisLabelsVisible(False)
        node.SetBackgroundColor(0.08, 0.08, 0.08)
        node.SetBackgroundColor2(0.08, 0.08, 0.08)

    def _look_at(self, flow: ReviewFlow, selected) -> None:
        focus, distance = (0.0, 0.0, 0.0), 420.0
        if flow.state is not None:
            centers = [flow.center_of(row.id) for row in flow.state.lymph_nodes]
            focus = np.mean([np.min(centers, axis=0), np.max(centers, axis=0)], axis=0)
        if selected is not None and flow.panel.parameters.heatmapMode != "slices":
            focus, distance = flow.center_of(selected.id), 150.0
        self.threeD.look_from((0.6, 1.0, 0.15), focus, distance)


class DrawnFlow(ReviewFlow):
    """The flow with a picture at each moment worth seeing."""

    step: Step
    out: Path

    def picture(self, widget=None, scan: bool = True) -> None:
        super().picture(widget, scan)
        panel = grabbed(widget) if widget is not None else self._panel()
        views = self.views.image(self) if scan else None
        save(composed(self.step, panel, views), self.out / self.step.file)

    def _panel(self) -> Image.Image | None:
        """The panel at its own height, what is empty yet folded away. A scan is loaded in other modules: no panel."""
        self.ui.resultCollapsibleButton.collapsed = self.state is None
        self.ui.segmentEditorWidget.visible = self.panel.reviewPart.editing.isActive  # the stand-in unfolds all
        if self.step.number == 1:
            return None
        grabbed(self.widget.parent, PANEL_WIDTH)  # takes its size, in which the selected row is brought into view
        if self.table.currentRow() >= 0:
            self.table.scrollToItem(self.table.item(self.table.currentRow(), NAME))
        return grabbed(self.widget.parent)


def grabbed(widget, width: int | None = None) -> Image.Image:
    """What the widget looks like; with a width, as high as it then needs to be."""
    from PySide6 import QtCore

    for _ in range(3 if width else 0):  # labels that wrap know their height only once they know their width
        widget.setFixedWidth(width)
        panel_host.processEvents()
        widget.setFixedHeight(max(widget.layout().heightForWidth(width), widget.layout().minimumSize().height()))
    panel_host.processEvents()
    buffer = QtCore.QBuffer()
    buffer.open(QtCore.QIODevice.ReadWrite)
    widget.grab().save(buffer, "PNG")
    return Image.open(io.BytesIO(bytes(buffer.data()))).convert("RGB")


def composed(step: Step, panel: Image.Image | None, views: Image.Image | None) -> Image.Image:
    """Side by side, with what it is above and the research-use line below."""
    parts = [part for part in (panel, views) if part is not None]
    width = sum(part.width for part in parts) + GAP * (len(parts) - 1)
    height = max(part.height for part in parts)
    whole = Image.new("RGB", (max(width, 560), height + 2 * BAND), BACKGROUND)
    x = 0
    for part in parts:
        whole.paste(part, (x, BAND))
        x += part.width + GAP
    draw = ImageDraw.Draw(whole)
    draw.text((10, 7), f"{step.number}  {step.title}", INK, font(15))
    draw.text((10, whole.height - BAND + 8), RESEARCH, INK, font(13))
    return whole


def font(size: int):
    for path in ("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",):
        if Path(path).is_file():
            return ImageFont.truetype(path, size)
    return ImageFont.load_default(size)


def save(image: Image.Image, path: Path) -> None:
    """With as many gray levels as keep the file small: the repository has a limit, and noise does not compress."""
    for step in GRAY_STEPS:
        coarser_grays(image, step).quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
        if path.stat().st_size < MOST_BYTES:
            break
    else:
        raise SystemExit(f"{path.name} is larger than {MOST_BYTES} bytes")
    print(path, path.stat().st_size, step, flush=True)


def without_noise(pixels: np.ndarray) -> Image.Image:
    """Tissue without its noise, which would make half of the file; outlines, heatmaps and text as they are."""
    smooth = np.array(Image.fromarray(pixels).filter(ImageFilter.MedianFilter(5)))
    tissue = (np.ptp(pixels, axis=2) <= GRAY) & (np.ptp(smooth, axis=2) <= GRAY)
    tissue &= abs(pixels[..., 0].astype(int) - smooth[..., 0]) <= NOISE
    return Image.fromarray(np.where(tissue[..., None], smooth, pixels))


def coarser_grays(image: Image.Image, step: int) -> Image.Image:
    pixels = np.array(image)
    is_gray = np.ptp(pixels, axis=2) <= GRAY
    level = pixels.mean(axis=2) / step
    gray = np.clip(np.rint(level) * step, 0, 255).astype(np.uint8)
    pixels[is_gray] = gray[is_gray][:, None]
    return Image.fromarray(pixels)


def main(out: Path) -> None:
    import slicer_views

    if not slicer_views.can_render():
        raise SystemExit(f"EGL does not draw here. On Debian: apt-get install {slicer_views.PACKAGES}")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        flow = DrawnFlow(Path(temporary), SHAPE, SPACING_MM, DrawnViews)
        flow.out = out
        try:
            for step in STEPS:
                flow.step = step
                step.run(flow)
        finally:
            flow.close()
    if out == SCREENSHOTS:
        review_page.PAGE.write_text(review_page.text(), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else SCREENSHOTS)
