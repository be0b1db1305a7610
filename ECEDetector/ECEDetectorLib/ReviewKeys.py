"""Keys of the review, while the table has the focus: so that they still write, and move, in a text field."""

from collections.abc import Callable

import qt


class ReviewKeys(qt.QObject):
    """Event filter of the table.

    Parameters
    ----------
    onPressed
        By letter, or ``"ctrl+right"`` and ``"ctrl+left"``; called once when the key goes down.
    onReleased
        As before, called when it comes up again.
    """

    def __init__(self, onPressed: dict[str, Callable[[], None]], onReleased: dict[str, Callable[[], None]]) -> None:
        qt.QObject.__init__(self)
        self._onPressed, self._onReleased = onPressed, onReleased

    def eventFilter(self, watched, event) -> bool:
        kind = event.type()
        if kind != qt.QEvent.KeyPress and kind != qt.QEvent.KeyRelease:
            return False
        key = keyOf(event)
        actions = self._onPressed if kind == qt.QEvent.KeyPress else self._onReleased
        if key not in self._onPressed:
            return False
        if not event.isAutoRepeat() and key in actions:
            actions[key]()
        return True


def keyOf(event) -> str:
    """Empty: none of ours."""
    modifiers, control = event.modifiers(), qt.Qt.ControlModifier
    if modifiers == qt.Qt.NoModifier:
        return event.text().lower()
    if modifiers == control or modifiers == control | qt.Qt.KeypadModifier:  # macOS counts arrows to the keypad
        for arrow, name in ((qt.Qt.Key_Right, "ctrl+right"), (qt.Qt.Key_Left, "ctrl+left")):
            if event.key() == arrow:
                return name
    return ""
