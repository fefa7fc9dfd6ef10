"""From historic orders to a registered model: data set, grouped split, training, evaluation, registry.

:mod:`training.champion` answers which model is in force without loading MLflow; the rest is for one-off commands.
"""
