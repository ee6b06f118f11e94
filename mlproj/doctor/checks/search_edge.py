"""The best trial of a search lies inside its space; at an edge better ones may lie beyond."""

from mlproj.doctor.patient import Patient
from mlproj.doctor.registry import NotApplicable, Seen, check


@check(14, "search-edge", "the best trial lies inside the search space", needs="run")
def search_edge(patient: Patient) -> Seen:
    """Reads what the search noted: values of the best trial at an end of their range that could be widened."""
    search = patient.search
    if search is None:
        raise NotApplicable("the run is not the best trial of a search")
    n, edges = int(search.get("complete", 0)) + int(search.get("pruned", 0)), list(search.get("edges", ()))
    numbers = {"edges": edges, "trials": n}
    how = "values of the best trial against the ends of the declared space"
    if edges:
        said = ", ".join(f"{edge['path']} {_shown(edge['value'])} ({edge['end']} end)" for edge in edges)
        advice = "Better values may lie beyond: search again in a wider range."
        return Seen("warn", f"at the edge: {said}", n, how, advice, numbers, search.get("widen") or "")
    if n <= _FEW:
        raise NotApplicable(f"{n} trials say nothing about edges")
    return Seen("ok", f"the best of {n} trials lies inside every range", n, how, numbers=numbers)


_FEW = 5


def _shown(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
