"""mlproj: declarative experiments, and a diagnosis that says what to do next.

Public names are loaded when they are first used, so that `import mlproj` costs nothing.
"""

__version__ = "0.1.0"
