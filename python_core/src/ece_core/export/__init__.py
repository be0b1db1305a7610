"""What leaves the core: the result folder, its report, and its DICOM objects. Nothing here needs torch."""
