"""Errors of the engine: what a caller passed cannot be trained, checked or loaded."""


class EngineError(ValueError):
    """Something a caller passed to the engine is wrong; the message says what, what is allowed, what to do."""


class ShapeError(EngineError):
    """Two arrays whose shapes must agree do not."""


class WeightsFileError(EngineError):
    """A file of weights cannot be read, or is not one."""
