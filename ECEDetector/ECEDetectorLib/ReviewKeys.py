"""Single keys of the review, while the table has the focus: so that they are still letters in a text field."""

from collections.abc import Callable

import qt


class ReviewKeys(qt.QObject):
    """Event filter of the table.

    Parameters
    ----------
    onPressed
        By letter, called once when the key goes down.
    onReleased
        By letter, called when it comes up again.
    """

    def __init__(self, onPressed: dict[str, Callable[[], None]], onReleased: dict[str, Callable[[], None]]) -> None:
        qt.QObject.__init__(self)
        self._onPressed, self._onReleased = onPressed, onReleased

    def eventFilter(self, watched, event) -> bool:
        kind = event.type()
        if kind != qt.QEvent.KeyPress and kind != qt.QEvent.KeyRelease:
            return False
        withoutModifiers = event.modifiers() == qt.Qt.NoModifier
        letter = event.text().lower()
        actions = self._onPressed if kind == qt.QEvent.KeyPress else self._onReleased
        if not withoutModifiers or letter not in self._onPressed:
            return False
        if not event.isAutoRepeat() and letter in actions:
            actions[letter]()
        return True
