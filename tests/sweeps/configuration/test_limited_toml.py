"""Configurations that nobody means: refused at once, in a line, with nothing in it that is secret or endless."""

import time

import pytest

from experiments.errors import InputError
from sweeps.configuration.config_file import load_config
from sweeps.configuration.limited_toml import parse_toml

SMALL = "[sweep]\nname = 'a'\n[data]\ntrain = 'sklearn:iris'\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a = " + "[" * 3000 + "]" * 3000, "inside each other, a thousand deep"),
        ("a = " + "{a=" * 3000 + "1" + "}" * 3000, "inside each other, a thousand deep"),
        ("a = " + "[" * 30 + "]" * 30, "more than 16 deep"),
        ("a" + ".a" * 20_000 + " = 1", "line 1 has a key of more than 16 parts"),
        ("b = 1\n[a" + ' . "a"' * 20_000 + "]", "line 2 has a key of more than 16 parts"),
        ("a = " + "9" * 200_000, "thousands of digits"),
        ("a = 0x" + "f" * 200_000, "a number of 800000 bits"),
        ("a = '" + "x" * 1_000_000 + "'", "1,000,006 characters"),
        ("x" * 200_000, "not valid TOML"),
        ("a.b.c.d = 1\na.b.c.d.e = 2", "not valid TOML"),
    ],
)
def test_what_is_too_deep_or_too_long_is_refused_at_once(text, why):
    began = time.process_time()
    with pytest.raises(InputError, match=why) as raised:
        parse_toml(text, "a.toml")
    assert time.process_time() - began < 1
    assert len(str(raised.value)) < 500


def test_what_people_write_is_read_as_it_is():
    assert parse_toml('a."b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s" = [[1], {b = -9223372036854775808}]', "a") == {
        "a": {"b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s": [[1], {"b": -(2**63)}]}
    }


@pytest.mark.parametrize(
    "line",
    [
        "[search]\nhidden_units = 0x7fffffffffffffff",
        "[search]\nn_iterations = {low = 1, high = 0x7fffffffffffffff}",
        "[search]\nactivation = [" + "'relu'," * 20_000 + "]",
        "[study]\nsampler = [" + "1," * 100_000 + "]",
        "[study]\nsampler = '" + "x" * 200_000 + "'",
        "[study]\n" + "x" * 200_000 + " = 1",
        "[training]\nminibatch_size = 0x7fffffffffffffff",
    ],
)
def test_values_that_no_machine_has_room_for_are_refused_and_cut_where_they_are_told(tmp_path, line):
    (tmp_path / "a.toml").write_text(SMALL + line)
    with pytest.raises(InputError) as raised:
        load_config(tmp_path / "a.toml")
    assert len(str(raised.value)) < 3_000


@pytest.mark.parametrize("secret", ["postgresql://me:s3cret@host/db", "password=s3cret", "https:/me:s3cret@host/a.csv"])
def test_what_looks_like_a_password_is_masked_wherever_it_was_pasted(tmp_path, secret):
    for text in (
        SMALL.replace("'a'", f"'{secret}'"),
        SMALL + f"[study]\nsampler = '{secret}'",
        SMALL + f"[study]\n'{secret}' = 1",
        SMALL + f"[search]\nlearning_rate = {{ low = '{secret}', high = 1 }}",
    ):
        (tmp_path / "a.toml").write_text(text)
        with pytest.raises(InputError) as raised:
            load_config(tmp_path / "a.toml")
        assert "s3cret" not in str(raised.value)
        assert "***" in str(raised.value)
