"""The client as the owner hands it out: built, stored in the owner's bucket, and offered at an address."""
