"""Tables of a Markdown text."""

import re


def cells(text: str) -> list[list[list[str]]]:
    """The tables of a text, each as rows of cells, without the line below the head; every row has as many cells."""
    tables: list[list[list[str]]] = []
    inside = False
    for line in text.splitlines():
        if not line.startswith("|"):
            inside = False
            continue
        row = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if not inside:
            tables.append([])
        inside = True
        if not all(re.fullmatch("-+:?", cell) for cell in row):
            tables[-1].append(row)
        assert len(row) == len(tables[-1][0])
    return tables
