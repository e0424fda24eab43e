"""A guest whose kernel publishes a pool: token, devices, share, network, payload, power-off."""

from kinds import play_kind


def play(lab):
    play_kind(lab, "published")
