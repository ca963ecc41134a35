"""The main job from end to end on the local stack."""
