"""Text to numbers: tokenise, encode, rank units with evidence; trained, saved and loaded as one artifact.

Serving imports :mod:`models.encoder` and :mod:`models.ranker`, which need neither torch nor scikit-learn. The package
hands out nothing itself, so that importing one part does not load the others.
"""
