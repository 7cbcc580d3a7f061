"""The page of ``cifarlab serve``: pictures classified and explained in a browser, runs watched, compared.

``server`` binds the socket, ``connections`` and ``guard`` keep callers within ``limits``, ``app`` answers.
All of torch's work is done in one thread (``worker``) by ``desk``.
"""
