"""One file per part of the product; each benchmark is one function under ``@case``."""
