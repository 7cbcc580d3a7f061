"""The facts of a table file: each ties numbers to one another, and finds what contradicts."""

from cifarlab.studies.table_check.accuracies import Accuracies, ClassAccuracies, Ranking, Results
from cifarlab.studies.table_check.changes import Change, Improvement, Statements
from cifarlab.studies.table_check.confusion import ConfusionMatrix
from cifarlab.studies.table_check.data_sets import DataSet
from cifarlab.studies.table_check.networks import Layers, Network, WiderNetwork
from cifarlab.studies.table_check.series import Convergence, Progression, Sweep
from cifarlab.studies.table_check.sums import Choices, Parts, Product

Fact = (
    ConfusionMatrix
    | Accuracies
    | ClassAccuracies
    | Results
    | Ranking
    | Choices
    | Parts
    | Product
    | Change
    | Improvement
    | Statements
    | Sweep
    | Progression
    | Convergence
    | Network
    | WiderNetwork
    | Layers
    | DataSet
)
"""The union is the registry; a fact's JSON object names its class under ``type``."""
