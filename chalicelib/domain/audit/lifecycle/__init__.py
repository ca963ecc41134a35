"""What a bucket's lifecycle rules will do to the backups in it, and one command that corrects all of them.

``inventory`` is fed every object and counts what each rule takes; ``rule_book`` then asks ``archiving``, ``expiry``
and ``transitions`` what is wrong, and ``advice`` for the corrected rules.
"""
