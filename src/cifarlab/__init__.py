"""cifarlab: a laboratory for image classification at CIFAR scale.

Where things are, from the bottom up (imports only point down):

- ``config``, ``runtime``, ``files``, ``errors``: values, devices and seeds, safe files, one-line errors
- ``data``, ``augment``, ``models``, ``optim``, ``schedules``, ``losses``: the parts of a run
- ``recipe``: the frozen description of one run; ``run``: the folder that a run leaves
- ``train``, ``evaluate``, ``predict``: the verbs
- ``recipes``: named recipes, one module per report
- ``report``: the page that a run leaves; ``cli``: the command line
"""

__version__ = "0.1.0"
