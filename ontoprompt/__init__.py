"""ontoprompt: plain English questions to SPARQL, grounded in an ontology.

Importing this package loads no model, opens no connection and sets up no logging.
"""

__version__ = "0.1.0"
