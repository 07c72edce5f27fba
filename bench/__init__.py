"""Speed as ratios: each job against a floor or a peer in the same run. `python -m bench`, or `make bench`."""
