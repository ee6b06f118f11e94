"""Contracts that a test class inherits to check a part of its own: supply one fixture, and the promises are tested."""

from mlproj.testing.model import ModelContract as ModelContract
