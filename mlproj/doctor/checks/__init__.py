"""The checks, one file each or a few that look at the same thing; every module here is loaded and registers itself."""
