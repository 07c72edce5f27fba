"""What leaves: collections and who may read and write them."""
