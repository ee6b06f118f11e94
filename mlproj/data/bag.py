"""Text as a bag of words: which words count, and how much each counts in a text. N texts, W words.

What is learned from the train texts is plain data, so that a model takes raw text without any pickle:

    bag = Bag.fit(pa.array(["the parcel was late", "a late parcel", "great"]))
    bag.words                        # ("late", "parcel"): words that two train texts share
    bag.weigh(pa.array(["late!"]))   # sparse (1, 2)

The counting and weighing are scikit-learn's (tf-idf with rows of length one), which is imported only where there is a
text column. Words are runs of at least two letters or digits, in lower case, with composed accents and full-width
letters in one form (NFKC).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mlproj.data.late import pa

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

MAX_WORDS = 1_000
"""Words of one column that get an input of their own."""
LEAST_WORDS = 100
"""As many may always get one, however many rows there are."""
MAX_CELLS = 2**28
"""Inputs times train rows of one text column, 1 GB as float32; from 268,435 rows on it leaves fewer words."""
_LEAST_TEXTS = 2  # a word of one text teaches nothing about itself, as a category seen once
_WORD = r"(?u)\b\w{2,50}\b"  # what is longer is no word but a code, and no name of an input


@dataclass(frozen=True)
class Bag:
    """The words of one text column that have an input, with what weighs them; plain data.

    Attributes:
        words: Words, in order.
        idf: Weight of each word (W): ln((1 + n) / (1 + texts with it)) + 1, larger for rarer words.
        scale: By what the rows of length one are multiplied: √(words in a usual train text), so that a word in a usual
            text counts about as much as a category, which is 1.
    """

    words: tuple[str, ...] = ()
    idf: tuple[float, ...] = ()
    scale: float = 1.0

    @classmethod
    def fit(cls, texts: pa.Array) -> Bag:
        """Learns the words from train texts: of those that two texts share, the most widespread; among equals by name.

        Args:
            texts: Train texts (N,); null where missing.

        Example:
            >>> Bag.fit(pa.array(["Late parcel", "the parcel was late", None, "lost"])).words
            ('late', 'parcel')
        """
        from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

        counter = CountVectorizer(preprocessor=plain, token_pattern=_WORD, dtype=np.int32)
        try:
            counts = counter.fit_transform(_listed(texts))
        except ValueError:  # it refuses texts without a single word
            return cls()
        n_texts = np.bincount(counts.indices, minlength=counts.shape[1])
        most = max(LEAST_WORDS, min(MAX_WORDS, MAX_CELLS // len(texts)))
        order = np.argsort(-n_texts, kind="stable")[:most]  # the words are sorted, so equals stay so
        kept = np.sort(order[n_texts[order] >= _LEAST_TEXTS])
        if not len(kept):
            return cls()
        counts = counts[:, kept]
        idf = TfidfTransformer().fit(counts).idf_
        n_words = counts.getnnz(axis=1)
        scale = float(np.sqrt(n_words[n_words > 0].mean()))
        return cls(tuple(counter.get_feature_names_out()[kept].tolist()), tuple(idf.tolist()), scale)

    def weigh(self, texts: pa.Array) -> csr_matrix:
        """How much each word counts in each text: sparse (N, W); rows of missing texts and unknown words are empty."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        weigher = TfidfVectorizer(preprocessor=plain, token_pattern=_WORD, vocabulary=self.words, dtype=np.float32)
        weigher.idf_ = np.array(self.idf)
        return weigher.transform(_listed(texts)) * np.float32(self.scale)

    def count(self, texts: pa.Array) -> csr_matrix:
        """How often each word occurs in each text: sparse (N, W)."""
        from sklearn.feature_extraction.text import CountVectorizer

        return CountVectorizer(preprocessor=plain, token_pattern=_WORD, vocabulary=self.words).transform(_listed(texts))

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Bag:
        """The bag that `dataclasses.asdict` made plain."""
        return cls(tuple(document["words"]), tuple(document["idf"]), document["scale"])


def plain(text: str) -> str:
    """A text in the one form in which words are compared.

    Example:
        >>> plain("CAFÉ") == plain("Cafe\u0301")
        True
    """
    return unicodedata.normalize("NFKC", text).lower()


def _listed(texts: pa.Array) -> list[str]:
    return [text or "" for text in texts.to_pylist()]
