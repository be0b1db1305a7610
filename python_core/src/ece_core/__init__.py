"""Find, measure and classify cervical lymph nodes on contrast neck CT.

Folder order is import order: each package imports only what stands above it in
``errors, geometry -> io -> privacy, pacs -> preprocessing -> simulate -> models -> explain -> lymph_nodes ->
export -> pipeline -> review -> worker, cli -> scene -> web`` (a test holds this).
"""

__version__ = "0.1.0"

RESEARCH_USE_ONLY = "Research use only. Not a medical device."
