"""What a project is, as plain data: no torch, numpy, pandas, mlflow or optuna is imported here."""
