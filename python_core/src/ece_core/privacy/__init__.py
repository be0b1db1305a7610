"""What keeps the patient's identity where it belongs: owner-only secrets, quiet logs, de-identified copies.

`docs/privacy.md` says what goes where.
"""
