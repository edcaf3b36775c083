"""Answer time of JupyterLab's ask panel on the demo network, and its longest frame with 200 passages."""
