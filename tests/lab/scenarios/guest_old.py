"""A guest whose kernel knows nothing of pools: no token, one warning, everything else works."""

from kinds import play_kind


def play(lab):
    play_kind(lab, "old")
