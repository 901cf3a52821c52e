"""A decision follows from its document and nothing else, and a document that was changed is noticed."""

import json
from dataclasses import replace

import numpy as np
import pytest

from experiments.errors import InputError
from experiments.promotion.comparison import ACCURACY, Counts, Evidence, Scored
from experiments.promotion.judgement import Terms, judge
from experiments.promotion.ledger import Ledger
from experiments.promotion.verdict import ModelRef, RowsUsed, Verdict, digest_of, find

TERMS = Terms(alpha=0.001, spent=0.0, alpha_per_year=0.05, margin=0.0, seed=1)


def by_accuracy(classes):
    """Evidence in which accuracy decides, of classes with these counts."""
    total = Counts(*(sum(column) for column in zip(*classes.values(), strict=True)))
    return Evidence(ACCURACY, sum(total), total, classes, len(classes), None, float("nan"), float("nan"))


def by_cost(mean, n=400):
    rng = np.random.default_rng(1)
    champion = Scored(rng.normal(mean, 1, n), rng.random(n) < 0.8)
    challenger = Scored(np.zeros(n), rng.random(n) < 0.8)
    return Evidence.of("log-loss", champion, challenger, np.arange(n) % 2, ("cat", "dog"))


def verdict(evidence, terms=TERMS, previous="", **changes):
    values = {
        "sweep": "cats",
        "decided_at": 1.79e9 + 0.1,
        "challenger": ModelRef("", "cats/20261128-020000", "ab" * 32),
        "champion": ModelRef("3", "cats/20261127-020000", "cd" * 32),
        "reference": "champion",
        "problem": "",
        "mode": "auto",
        "rows": RowsUsed("ef" * 32, 500, evidence.n_rows, 20, True, True),
        "evidence": evidence,
        "terms": terms,
        "finding": find(evidence, terms, "champion", ""),
        "software": {"sweeps": "0"},
        "previous": previous,
    }
    return Verdict(**(values | changes))


CLEARLY_BETTER = {"cat": Counts(400, 10, 40, 50), "dog": Counts(400, 10, 40, 50)}


def test_a_challenger_that_is_better_beyond_chance_is_promoted():
    finding = judge(by_accuracy(CLEARLY_BETTER), TERMS)
    assert (finding.decision, finding.alpha_spent) == ("promote", 0.001)
    assert "better than the champion by 0.06 on 1,000 rows" in finding.reason


@pytest.mark.parametrize(
    ("classes", "terms", "decision", "reason"),
    [
        ({"cat": Counts(400, 20, 20, 60)}, TERMS, "keep", "a tie"),
        ({"cat": Counts(400, 30, 20, 50)}, TERMS, "keep", "worse than the champion by 0.02"),
        (CLEARLY_BETTER, replace(TERMS, margin=0.07), "keep", "less than the margin of 0.07"),
        ({"cat": Counts(80, 2, 5, 13)}, TERMS, "insufficient", "too few to prove anything"),
        ({"cat": Counts(800, 30, 45, 125)}, TERMS, "insufficient", r"may be chance .* rows would do"),
        (CLEARLY_BETTER | {"emu": Counts(20, 20, 0, 0)}, TERMS, "keep", "class 'emu' gets clearly worse"),
        (CLEARLY_BETTER, replace(TERMS, alpha=0.0, free_at=1.8e9), "insufficient", r"spend again on 2027-01-15"),
    ],
)
def test_everything_else_keeps_the_champion_and_says_why(classes, terms, decision, reason):
    import re

    finding = judge(by_accuracy(classes), terms)
    assert finding.decision == decision
    assert re.search(reason, finding.reason), finding.reason


def test_rows_that_can_prove_nothing_spend_nothing():
    assert judge(by_accuracy({"cat": Counts(80, 2, 5, 13)}), TERMS).alpha_spent == 0
    assert judge(by_accuracy({"cat": Counts(100, 0, 0, 0)}), TERMS).alpha_spent == 0


def test_a_class_is_not_held_back_for_beside_a_constant():
    """Which is always right on the most frequent class."""
    classes = CLEARLY_BETTER | {"emu": Counts(20, 20, 0, 0)}
    assert judge(by_accuracy(classes), TERMS, has_classes_to_keep=False).decision == "promote"


@pytest.mark.parametrize("evidence", [by_accuracy(CLEARLY_BETTER), by_cost(0.3), by_cost(0.01), by_cost(0.1, n=9000)])
def test_a_document_read_again_says_the_same_and_its_finding_follows_from_it(evidence):
    one = verdict(evidence)
    again = Verdict.from_json(one.to_json(), "here")
    assert again.to_json() == one.to_json()
    assert again.holds
    assert len(one.to_json()) < 60_000, "MySQL keeps 65,535 bytes of a tag"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("finding", "p_value"), 1e-9),
        (("finding", "decision"), "keep"),
        (("evidence", "total", "only_champion"), 39),
        (("terms", "alpha"), 1e-12),
    ],
)
def test_a_finding_that_does_not_follow_from_its_evidence_is_noticed(path, value):
    document = json.loads(verdict(by_accuracy(CLEARLY_BETTER)).to_json())
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    assert not Verdict.from_json(json.dumps(document), "here").holds


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', "\0"])
def test_what_is_no_document_is_an_input_error(text):
    with pytest.raises(InputError, match=r"^here: not the document of a verdict .*Restore it"):
        Verdict.from_json(text, "here")


def test_a_document_of_another_format_is_refused():
    with pytest.raises(InputError, match="format version 2"):
        Verdict.from_json(verdict(by_cost(0.3)).to_json().replace('"format": 1', '"format": 2'), "here")


def test_the_ledger_has_each_decision_once_and_notices_one_that_was_left_out(tmp_path):
    path = tmp_path / "verdicts.jsonl"
    ledger, documents = Ledger(path), []
    for night in range(3):
        documents.append(verdict(by_cost(0.3), previous=ledger.last_digest, decided_at=1.79e9 + night).to_json())
        ledger.add(documents[-1])
        ledger.add(documents[-1])
    read = Ledger(path)
    assert [entry.digest for entry in read.entries] == [digest_of(document) for document in documents]
    assert read.spending == [(1.79e9 + night, 0.001) for night in range(3)]
    lines = path.read_text().splitlines()
    path.write_text(f"{lines[0]}\n{lines[2]}\n")
    with pytest.raises(InputError, match=r"line 2: damaged .it does not name the verdict before it"):
        Ledger(path)
    path.write_text("{\n")
    with pytest.raises(InputError, match="line 1: damaged"):
        Ledger(path)
