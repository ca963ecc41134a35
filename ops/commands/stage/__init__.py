"""``deploy``, ``doctor`` and ``destroy``: the commands about a whole stage."""
