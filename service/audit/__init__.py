"""The decision log made checkable: a Merkle tree over its records (RFC 6962), signed checkpoints (C2SP), proofs, and the
verification of the whole. Nothing here knows HTTP; ``service.log`` puts every record into the tree as it is written."""
