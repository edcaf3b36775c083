"""How soon the ask panel of JupyterLab answers on the demo network, and its longest frame with 200 passages."""
