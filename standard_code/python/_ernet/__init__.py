"""Networks for the endoplasmic reticulum (ER): their weights, engines, tiles and measures."""
