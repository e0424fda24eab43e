"""A guest whose kernel found no room for the pool: no token, a warning that says so, all else works."""

from kinds import play_kind


def play(lab):
    play_kind(lab, "failed")
