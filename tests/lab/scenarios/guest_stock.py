"""A guest with a distribution's kernel as it is: its default pool, in the token, and bounced through."""

from kinds import play_kind


def play(lab):
    play_kind(lab, "stock")
