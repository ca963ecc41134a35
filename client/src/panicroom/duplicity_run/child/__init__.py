"""The process that is duplicity: the real thing, with a backend and patches put in.

``main`` starts here; one module holds one group of patches:

- ``skipped``: every file that duplicity leaves out is reported to the client.
- ``every_change``: files that changed without a new time are backed up too.
- ``broken_off``: what could not be read to its end is never stored cut short.
- ``source_check``: no set is sealed where the source went away meanwhile.
- ``progress``: how much of the source has been read.
- ``resumed``: a resumed set holds no file that changed since the set began.
- ``journalled``: the journal records how far signatures and manifest reach at the end of each volume.
- ``backend``: ``panicroom://``, duplicity's files through the service.
- ``long_chain``: a chain of a year costs a backup no seconds.
- ``restoring``: a restore writes the planned files and reads the planned volumes, from ``planned_backend``.
- ``given_up``: files that duplicity cannot put together, of which it only warns. ``differences``: what a verify finds.

``diffdir.collate2iters``, the place that all files pass, is patched by several of them. Each wraps what the one
before put in, so the order in ``main`` is the order in which a file passes them.
"""

# SPDX-License-Identifier: GPL-2.0-or-later
