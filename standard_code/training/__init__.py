"""How the default model for the endoplasmic reticulum (ER) was made: synthetic images, training, evaluation."""
