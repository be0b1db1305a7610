"""Write the terminology contexts that Slicer loads: .venv/bin/python scripts/write_terminologies.py"""

from ece_core.export.terminology_contexts import FOLDER, contexts

FOLDER.mkdir(exist_ok=True)
for name, text in contexts().items():
    (FOLDER / name).write_text(text, encoding="utf-8")
    print(f"wrote {name}")
