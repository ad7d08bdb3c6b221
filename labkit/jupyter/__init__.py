"""JupyterLab on the learner's copies, and notebooks run and linted."""
