"""What the node asks the ledger to commit, and the answers; neither knows the other."""
