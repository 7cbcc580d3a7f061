"""Data: labeled uint8 images with a training set and a test set."""
