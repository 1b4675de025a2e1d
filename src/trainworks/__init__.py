"""trainworks: an ML training platform on AWS, as Python code, that also runs whole on one machine."""

__version__ = "0.1.0"
