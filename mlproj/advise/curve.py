"""The command to run next after a learning curve."""

from collections.abc import Sequence

from mlproj.advise import commands
from mlproj.records import LearningCurve
from mlproj.spec.project import Project


def next_for_curve(
    curve: LearningCurve, project: Project | None, run: str, *, repeats: int, options: Sequence[str] = ()
) -> str:
    """The one command to run next, as it stands.

    Unfinished: the same again, which goes on. More data: the errors, which say what to collect. Not by data: the
    ladder, which says what else. Left open: more repeats. A curve that rises: a search, which regularises.

    Args:
        curve: The curve.
        project: The project.
        run: The run.
        repeats: Repeats that it has.
        options: Options that were given, to be given again.
    """
    again = ["diagnose", "learning-curve", run, *options]
    if curve.missing:
        return commands.join(project, *again, *(["--repeats", str(repeats)] if repeats != 3 else []))
    if curve.state == "more_data":
        return commands.join(project, "errors", "export", run, "--out", "errors.xlsx")
    if curve.state in ("reached", "not_by_data") or (curve.shape == "too_few" and len(curve.anchors) < 5):
        return commands.join(project, "diagnose", "bias-variance", run)
    if curve.state == "refused" and curve.shape in ("rising", "double_descent"):
        return commands.join(project, "search", "--like", run)
    if curve.state == "refused" and curve.shape == "not_convex":
        later = [str(anchor.n) for anchor in curve.anchors if anchor.n >= curve.shape_at[1]]
        again = ["diagnose", "learning-curve", run, "--sizes", ",".join(_closer(later))]
    return commands.join(project, *again, "--repeats", str(min(2 * repeats, 100)))


def _closer(sizes: Sequence[str]) -> list[str]:
    """At least five sizes between the ends.

    Example:
        >>> _closer(["100", "200"])
        ['100', '119', '141', '168', '200']
    """
    if len(sizes) >= 5:
        return list(sizes)
    low, high = int(sizes[0]), int(sizes[-1])
    return [str(round(low * (high / low) ** (k / 4))) for k in range(5)]
