"""The three classes of lymph nodes, and what stands for several of them: label values, names, colors."""

CLASS_NAMES = ("N", "P", "ENE")  # label values 1, 2, 3 of the class map; 0 is background

# What a segmentation network tells apart. Joined labels have names and values of their own: none means P or ENE.
LABEL_SETTINGS = {
    "apart": CLASS_NAMES,
    "metastatic_joined": ("N", "metastatic"),
    "all_joined": ("lymph_node",),
}
LABEL_VALUES = {"N": 1, "P": 2, "ENE": 3, "metastatic": 4, "lymph_node": 5}
LABEL_CLASSES = {**{name: (name,) for name in CLASS_NAMES}, "metastatic": ("P", "ENE"), "lymph_node": CLASS_NAMES}

CLASS_TITLES = {
    "N": "Negative",
    "P": "Metastatic",
    "ENE": "Metastatic with ENE (also ECE)",
    "metastatic": "Metastatic, ENE (also ECE) not judged",
    "lymph_node": "Lymph node, class not judged",
}
CLASS_COLORS = {
    "N": (68, 172, 100),
    "P": (255, 193, 7),
    "ENE": (214, 39, 40),
    "metastatic": (245, 124, 0),
    "lymph_node": (100, 149, 237),
}
