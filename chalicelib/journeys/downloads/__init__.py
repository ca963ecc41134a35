"""Downloads: what is stored of the files that are asked for, and permission to fetch it."""
