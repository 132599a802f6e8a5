"""One module a vendor behind one small protocol; whatever is special about a vendor lives there and nowhere else."""
