"""What two models made of the same rows: the tests agree with SciPy's and with hand-worked examples."""

import math

import numpy as np
import pytest
from scipy import stats

from experiments.promotion.comparison import (
    ACCURACY,
    MOST_RESAMPLED,
    Counts,
    Evidence,
    Scored,
    bootstrap_p,
    compare,
    mcnemar,
    moments,
    p_of_worse,
    paired_means,
    sign_flip_p,
)
from experiments.splits import Relation

ALPHA = 0.05 / 365


def of_gains(gains):
    """Evidence of a regression in which these are the champion's losses minus the challenger's."""
    gains = np.asarray(gains, dtype=np.float64)
    zero = np.zeros(len(gains))
    return Evidence.of("squared error", Scored(gains, None), Scored(zero, None), zero, ())


def test_mcnemar_is_the_sign_test_of_the_rows_that_tell_the_models_apart():
    """12 of 15 one way by hand: (C(15,12) + C(15,13) + C(15,14) + 1) / 2^15 = 576 / 32768."""
    result = mcnemar(Counts(both=80, only_champion=3, only_challenger=12, neither=5), 100, 0.05)
    assert result.p_value == pytest.approx(576 / 32768)
    assert result.improvement == pytest.approx(0.09)
    assert result.least_p_value == 0.5**15


def test_models_that_are_right_on_the_same_rows_prove_nothing():
    result = mcnemar(Counts(90, 0, 0, 10), 100, 0.05)
    assert (result.p_value, result.least_p_value, result.improvement, result.n_rows_needed) == (1.0, 1.0, 0.0, None)


def test_the_rows_that_would_do_find_such_an_improvement_four_times_in_five():
    """The number is checked by drawing: rows of which 6.5 % are gained and 3.5 % lost."""
    needed = mcnemar(Counts(900, 35, 65, 0), 1000, 0.01).n_rows_needed
    rng = np.random.default_rng(1)
    drawn = rng.multinomial(needed, [0.9, 0.035, 0.065], 2000)
    p_values = stats.binom.sf(drawn[:, 2] - 1, drawn[:, 1] + drawn[:, 2], 0.5)
    assert np.mean(p_values <= 0.01) == pytest.approx(0.8, abs=0.04)


@pytest.mark.parametrize("n", [300, 2000])
def test_the_bootstrap_agrees_with_students_t_where_gains_are_normal(n):
    gains = np.random.default_rng(n).normal(2.5 / math.sqrt(n), 1, n)
    result = paired_means(of_gains(gains), 0.001, seed=1)
    expected = stats.ttest_1samp(gains, 0, alternative="greater").pvalue
    assert result.name == "paired bootstrap"
    assert result.p_value == pytest.approx(expected, rel=0.4)


def test_sign_flips_agree_with_scipys_permutation_test():
    gains = np.random.default_rng(3).normal(0.15, 1, 120)
    scipys = stats.permutation_test(
        (gains, np.zeros(120)),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        alternative="greater",
        n_resamples=20_000,
        rng=np.random.default_rng(4),
    ).pvalue
    assert sign_flip_p(gains, 0.0005, seed=5) == pytest.approx(scipys, rel=0.5)


def test_a_bootstrap_can_prove_an_improvement_at_the_alpha_of_one_night_and_is_the_same_every_time():
    evidence = of_gains(np.random.default_rng(6).normal(0.15, 1, 1500))
    first, again = (compare(evidence, ALPHA, seed=7) for _ in range(2))
    assert first.p_value <= ALPHA
    assert first == again


def test_what_the_bootstrap_finds_must_stand_sign_flips_too():
    """Twelve rows gain and none loses: as a sign test has it, p is 2^-12; the bootstrap alone would promise less."""
    gains = np.zeros(400)
    gains[:12] = 1.0
    t = gains.mean() / gains.std(ddof=1) * 20
    assert bootstrap_p(gains, t, ALPHA, seed=1) <= ALPHA
    assert paired_means(of_gains(gains), ALPHA, seed=1).p_value == pytest.approx(0.5**12, rel=0.5)


def test_few_rows_are_not_tried_and_many_take_students_t():
    few = paired_means(of_gains(np.linspace(0.5, 1, 99)), ALPHA, seed=1)
    assert few.least_p_value > ALPHA
    many = np.random.default_rng(8).normal(0.01, 1, MOST_RESAMPLED + 1)
    evidence = of_gains(many)
    assert evidence.gains is None
    expected = stats.ttest_1samp(many.astype(np.float32), 0, alternative="greater").pvalue
    assert paired_means(evidence, ALPHA, seed=1).p_value == pytest.approx(expected, rel=1e-4)


def test_evidence_counts_by_class_and_keeps_sorted_gains():
    y = np.array([0, 0, 1, 1, 1])
    champion = Scored(np.array([0.1, 0.9, 0.2, 0.8, 0.3]), np.array([True, False, True, False, True]))
    challenger = Scored(np.array([0.2, 0.1, 0.2, 0.9, 0.1]), np.array([True, True, True, False, False]))
    evidence = Evidence.of("log-loss", champion, challenger, y, ("cat", "dog"))
    assert evidence.total == Counts(2, 1, 1, 1)
    assert evidence.classes == {"cat": Counts(1, 0, 1, 0), "dog": Counts(1, 1, 0, 1)}
    np.testing.assert_allclose(evidence.gains, [-0.1, -0.1, 0, 0.2, 0.8], atol=1e-6)
    assert (evidence.mean, evidence.deviation) == moments(evidence.gains)
    assert evidence.mean == pytest.approx(0.16, abs=1e-6)


@pytest.mark.parametrize("objective", ["log-loss", ACCURACY])
def test_rows_of_groups_prove_as_much_as_their_groups(objective):
    """Five equal rows of each patient are what one row of each is; as rows of their own they would prove too much."""
    generator = np.random.default_rng(3)
    m, y, names = 150, np.zeros(150, dtype=int), ("a", "b")
    one, other = (generator.random(m) < share for share in (0.5, 0.6))
    alone = [Scored(1.0 - right, right) for right in (one, other)]
    repeated = [Scored(np.repeat(scored.losses, 5), np.repeat(scored.is_right, 5)) for scored in alone]
    patients = Relation("patient", groups=np.repeat(np.arange(m).astype(str), 5))
    of_groups = Evidence.of(objective, *repeated, np.repeat(y, 5), names, patients)
    as_losses = Evidence.of("log-loss", *alone, y, names)
    assert (of_groups.n_rows, of_groups.unit) == (150, "groups of 'patient'")
    found, expected = compare(of_groups, 0.05, 0), compare(as_losses, 0.05, 0)
    assert found.p_value == expected.p_value
    assert found.improvement == pytest.approx(other.mean() - one.mean())
    assert compare(Evidence.of(objective, *repeated, np.repeat(y, 5), names), 0.05, 0).p_value < found.p_value / 2


def test_a_class_that_gets_worse_for_one_patient_of_many_rows_is_not_clearly_worse():
    """Twelve rows of the sick, all lost: of twelve patients that is more than chance, of one it is not."""
    m = 200
    y = (np.arange(m) < 12).astype(int)
    champion, challenger = np.ones(m, bool), y == 0
    champion[100:] = False
    both = (Scored((~champion).astype(float), champion), Scored((~challenger).astype(float), challenger))
    rows = np.arange(m)
    for owner, p in ((rows, 0.5**12), (np.where(y == 1, 0, rows), 0.5)):
        evidence = Evidence.of("accuracy", *both, y, ("well", "sick"), Relation("patient", groups=owner.astype(str)))
        assert p_of_worse(evidence.classes["sick"]) == pytest.approx(p)
        assert sum(evidence.classes["sick"]) == len(np.unique(owner[y == 1]))
        assert evidence.hits_of_champion == (100, 200), "rows, of groups too"
    assert Evidence.of("accuracy", *both, y, ("well", "sick")).classes["sick"] == (0, 12, 0, 0)


def test_rows_along_time_are_rows():
    times = Relation("sold_at", times=np.arange(200.0))
    gains = np.random.default_rng(0).standard_normal(200)
    zero = np.zeros(200)
    evidence = Evidence.of("squared error", Scored(gains, None), Scored(zero, None), zero, (), times)
    assert (evidence.n_rows, evidence.unit) == (200, "rows")
