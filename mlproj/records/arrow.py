"""Arrays of NumPy as columns of Arrow, without pandas.

`pyarrow.array` looks whether what it is given belongs to pandas and imports pandas for it, which takes longer than all
else that writing predictions takes. Arrays whose memory Arrow can take as it is need no such look.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa


def to_arrow(values: NDArray[Any], missing: NDArray[np.bool_] | None = None) -> "pa.Array":
    """A column of Arrow with an array's values.

    Args:
        values: Texts or numbers (N,).
        missing: Where a cell is to be missing (N,); nowhere when left out.

    Example:
        >>> to_arrow(np.array(["oak", "elm"])).to_pylist()
        ['oak', 'elm']
    """
    import pyarrow as pa

    gaps = None if missing is None else pa.py_buffer(np.packbits(~missing, bitorder="little"))
    if values.dtype.kind == "U":
        texts = [text.encode() for text in values.tolist()]
        ends = np.zeros(len(texts) + 1, dtype=np.int32)
        np.cumsum([len(text) for text in texts], out=ends[1:])
        content = [gaps, pa.py_buffer(ends), pa.py_buffer(b"".join(texts))]
        return pa.Array.from_buffers(pa.string(), len(values), content)
    if values.dtype.kind in "iuf":
        content = [gaps, pa.py_buffer(np.ascontiguousarray(values))]
        return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), content)
    return pa.array(values, mask=missing)
