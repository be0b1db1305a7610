"""Bounds on what we open. They keep a damaged or hostile file from taking the memory; no real neck CT comes near."""

MIN_MATRIX = 16  # dicom.md section 8
MAX_MATRIX = 2048  # dicom.md section 8
MAX_SLICES = 5000  # dicom.md section 8
MAX_VOXELS = 2**30  # 2 GiB as int16; 512 x 512 x 4096
MAX_FILES = 50_000  # in one folder tree: enough for a large study, too little for a whole disk
MAX_INFLATED_BYTES = 64 * 2**20  # one deflated file; a 2048 x 2048 slice of 32 bits has 16 MiB
MAX_HEADER_BYTES = 2**20  # text header of NRRD and MetaImage
MIN_SPACING_MM, MAX_SPACING_MM = 0.01, 50.0  # micro-CT to far beyond any clinical slice distance
MAX_COORDINATE_MM = 1e5  # 100 m from the scanner's isocentre: larger numbers are damage, not a table position
AIR_HU = -1024  # lowest value that CT scanners store as tissue or air; what lies below is padding
