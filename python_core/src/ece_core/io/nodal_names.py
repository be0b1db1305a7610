"""Which ROI, segment or label names mean lymph nodes."""

from __future__ import annotations

import re

# TG-263 says GTVn; the rest are the free names of public sets (reference/clinical.md section 4). Three things differ
# from the expression there: "LN1" (our own exports) counts, "GTVnx" and "GTVnasopharynx" (the primary tumor of
# nasopharyngeal cancer) do not, and "CTV" or "PTV" rules a name out wherever it stands.
NODAL = re.compile(r"^(gtv[ _-]?n(?!x|as)|gtv[ _-]?ln|nodal|ln[ _\-\d]|lymph)", re.IGNORECASE)
MARGIN = re.compile(r"ctv|ptv", re.IGNORECASE)


def is_nodal(name: str) -> bool:
    """Whether a name such as ``GTVn_L`` means lymph nodes as they are seen, without a margin.

    References
    ----------
    AAPM TG-263, Mayo et al. 2018, doi:10.1016/j.ijrobp.2017.12.013
    """
    return bool(NODAL.match(name.strip())) and not MARGIN.search(name)
