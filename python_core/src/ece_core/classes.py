"""The three classes of lymph nodes: label values, names, colors."""

CLASS_NAMES = ("N", "P", "ENE")  # label values 1, 2, 3 of the class map; 0 is background
CLASS_TITLES = {"N": "Negative", "P": "Metastatic", "ENE": "Metastatic with ENE (also ECE)"}
CLASS_COLORS = {"N": (68, 172, 100), "P": (255, 193, 7), "ENE": (214, 39, 40)}
