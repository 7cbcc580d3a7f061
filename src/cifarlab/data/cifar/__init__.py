"""CIFAR as its publisher offers it: archives of label bytes and pixels, or of pickles, and their folders."""
