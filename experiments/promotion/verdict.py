"""A decision as one JSON document: what it was made on, what came of it, and all that it takes to repeat it.

The digest of a document is SHA-256 of its text. Each names the digest of the one before it, so that none can be changed
or left out unnoticed; no row of the data is in it.
"""

from __future__ import annotations

import base64
import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from typing import Any, Literal

import numpy as np

from experiments.errors import InputError
from experiments.promotion.comparison import ROWS, Counts, Evidence, moments
from experiments.promotion.judgement import Finding, Terms, judge

FORMAT_VERSION = 1

Mode = Literal["auto", "never", "force"]
Reference = Literal["champion", "constant", "nobody"]
"""Whom the challenger was compared with: a constant where the champion cannot be scored, nobody where there is none."""


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A model that a verdict is about.

    Attributes:
        version: In the registry; "" where it has none yet.
        study: The study that made it.
        digest: SHA-256 of its file.
    """

    version: str
    study: str
    digest: str


@dataclass(frozen=True, slots=True)
class RowsUsed:
    """The sealed rows of a comparison, see `experiments.promotion.rows`.

    Attributes:
        n_sealed: All that the challenger's study has.
        n_left_out: Those that only one of the two was trained on.
        are_known: Whether it is known what the champion was trained on.
    """

    digest: str
    n_sealed: int
    n_used: int
    n_left_out: int
    are_new: bool
    are_known: bool


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """Whether a challenger takes the champion's place.

    Attributes:
        decided_at: Unix time, seconds.
        champion: None where there is none.
        problem: Why the champion cannot be scored, or why nobody is known to be; "" otherwise.
        mode: "never" moves nothing, "force" moves the alias whatever the finding says.
        rows, evidence: None where there was nobody to compare with.
        software: Package to version.
        previous: Digest of the document before this one; "" for the first.
    """

    sweep: str
    decided_at: float
    challenger: ModelRef
    champion: ModelRef | None
    reference: Reference
    problem: str
    mode: Mode
    rows: RowsUsed | None
    evidence: Evidence | None
    terms: Terms
    finding: Finding
    software: Mapping[str, str]
    previous: str

    @property
    def moves_alias(self) -> bool:
        """Whether the challenger is to become champion."""
        return self.mode == "force" or (self.mode == "auto" and self.finding.decision == "promote")

    def repeated(self) -> Finding:
        """What the same evidence on the same terms comes to, worked out again."""
        return find(self.evidence, self.terms, self.reference, self.problem)

    @property
    def holds(self) -> bool:
        """Whether the document's finding is what its evidence comes to."""
        return _same(self.repeated(), self.finding)

    def to_json(self) -> str:
        """The document."""
        values = {name: getattr(self, name) for name in self.__slots__}
        document = {
            **values,
            "champion": self.champion and asdict(self.champion),
            "challenger": asdict(self.challenger),
            "rows": self.rows and asdict(self.rows),
            "evidence": self.evidence and _evidence_to_dict(self.evidence),
            "terms": asdict(self.terms),
            "finding": asdict(self.finding),
            "software": dict(self.software),
        }
        return json.dumps({"format": FORMAT_VERSION, **document}, allow_nan=False, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str, place: str) -> Verdict:
        """Read a document.

        Raises:
            InputError: It is no such document, or of another format version.
        """
        try:
            document = json.loads(text)
            version = document.pop("format")
            if version != FORMAT_VERSION:
                raise InputError(
                    f"{place}: a verdict of format version {version}.",
                    f"This release reads version {FORMAT_VERSION}.",
                    "Use the release that wrote it.",
                )
            changed = {
                "champion": document["champion"] and ModelRef(**document["champion"]),
                "challenger": ModelRef(**document["challenger"]),
                "rows": document["rows"] and RowsUsed(**document["rows"]),
                "evidence": document["evidence"] and _evidence_from_dict(document["evidence"]),
                "terms": Terms(**document["terms"]),
                "finding": Finding(**document["finding"]),
            }
            return cls(**{**document, **changed})
        except InputError:
            raise
        except (AttributeError, KeyError, TypeError, ValueError, zlib.error) as error:
            raise InputError(
                f"{place}: not the document of a verdict ({type(error).__name__}).",
                "It must be as it was written, to the byte.",
                "Restore it from a backup, or read the one that MLflow keeps with the model's version.",
            ) from error


def find(evidence: Evidence | None, terms: Terms, reference: Reference, problem: str) -> Finding:
    """The finding of a comparison, or of there being nobody to compare with."""
    if reference == "nobody" or evidence is None:
        return Finding("promote", f"no champion is known ({problem})" if problem else "there is no champion yet")
    if reference == "constant":
        finding = judge(evidence, terms, has_classes_to_keep=False, than="a constant")
        return replace(finding, reason=f"the champion cannot be scored ({problem}); {finding.reason}")
    return judge(evidence, terms)


def digest_of(text: str) -> str:
    """Digest of a document's text."""
    return sha256(text.encode()).hexdigest()


def _evidence_to_dict(evidence: Evidence) -> dict[str, Any]:
    return {
        "objective": evidence.objective,
        "n_rows": evidence.n_rows,
        "total": evidence.total and evidence.total._asdict(),
        "classes": {name: counts._asdict() for name, counts in evidence.classes.items()},
        "n_classes": evidence.n_classes,
        "gains": None if evidence.gains is None else _packed(evidence.gains),
        "mean": _number(evidence.mean),
        "deviation": _number(evidence.deviation),
        "unit": evidence.unit,
    }


def _evidence_from_dict(saved: dict[str, Any]) -> Evidence:
    gains = None if saved["gains"] is None else _unpacked(saved["gains"], saved["n_rows"])
    if gains is not None:
        mean, deviation = moments(gains)
    else:
        mean, deviation = (math.nan if saved[key] is None else float(saved[key]) for key in ("mean", "deviation"))
    return Evidence(
        objective=saved["objective"],
        n_rows=saved["n_rows"],
        total=saved["total"] and Counts(**saved["total"]),
        classes={name: Counts(**counts) for name, counts in saved["classes"].items()},
        n_classes=saved["n_classes"],
        gains=gains,
        mean=mean,
        deviation=deviation,
        unit=saved.get("unit", ROWS),  # documents from before groups counted
    )


def _packed(gains: np.ndarray[Any, np.dtype[np.float32]]) -> str:
    return base64.b64encode(zlib.compress(gains.astype("<f4").tobytes(), 9)).decode()


def _unpacked(text: str, n_rows: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    unpacked = zlib.decompressobj().decompress(base64.b64decode(text, validate=True), 4 * n_rows + 1)
    gains = np.frombuffer(unpacked, dtype="<f4").astype(np.float32)
    if len(gains) != n_rows:
        raise ValueError(f"{len(gains)} gains of {n_rows} rows")
    return gains


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _same(one: Finding, other: Finding) -> bool:
    """Whether two findings agree; numbers to 9 digits, for another release of SciPy may differ in the last."""

    def rounded(finding: Finding) -> Finding:
        return replace(
            finding,
            improvement=_digits(finding.improvement),
            p_value=_digits(finding.p_value),
        )

    return rounded(one) == rounded(other)


def _digits(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.9g}")
