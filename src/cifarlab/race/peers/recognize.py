"""Which peer a script is."""

from cifarlab.errors import UserError
from cifarlab.race.peers.airbench94_muon import AIRBENCH94_MUON
from cifarlab.race.peers.airbench96_faster import AIRBENCH96_FASTER
from cifarlab.race.peers.cifar10_speedrun import CIFAR10_SPEEDRUN
from cifarlab.race.peers.peer import Peer

PEERS = (AIRBENCH94_MUON, CIFAR10_SPEEDRUN, AIRBENCH96_FASTER)


def recognize(text: str) -> Peer:
    """The peer whose marks are all in ``text``; the file may have any name.

    Raises:
        UserError: it is none of them.
    """
    found = [peer for peer in PEERS if all(mark in text for mark in peer.marks)]
    if len(found) != 1:
        known = ", ".join(f"{peer.name} ({peer.source})" for peer in PEERS)
        raise UserError(f"this is none of the scripts that a race can run: {known}")
    return found[0]
