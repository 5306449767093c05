import math

import pytest

from lit_vision.errors import InputError
from lit_vision.experiment import contrasts

FIGURES = {"plain20": 10.0, "plain56": 16.0, "residual20": 9.0, "residual56": 7.5}


@pytest.mark.parametrize(
    ("expr", "value"),
    [
        ("plain56 - plain20", 6),
        ("(plain56 - plain20) - (residual56 - residual20)", 7.5),
        ("plain56 / plain20 * 2", 3.2),
        ("-plain20 + 1", -9),
        (" residual56 ", 7.5),
    ],
)
def test_arithmetic_over_names(expr, value):
    assert contrasts.value(expr, FIGURES) == pytest.approx(value)


def test_a_division_by_zero_is_no_figure():
    assert math.isnan(contrasts.value("a / b", {"a": 1.0, "b": 0.0}))


@pytest.mark.parametrize(
    ("expr", "message"),
    [
        ("plain56 - plan20", "f: there is no 'plan20'; did you mean 'plain20'?"),
        ("plain56 - 1", "f: 'plain56 - 1' leaves out plain20; name it there, or drop it"),
        (
            "plain56 - plain20 > 2",
            "plain20 > 2' is not allowed here; use arms, numbers, + - * / and brackets",
        ),
        ("__import__('os').getcwd()", "is not allowed here"),
        ("plain56 ** plain20", "is not allowed here"),
        ("plain56 - plain20 - True", "'True' is not allowed here"),
        ("plain56 -", "f: 'plain56 -' cannot be read (invalid syntax)"),
    ],
)
def test_nothing_else_is_read(expr, message):
    with pytest.raises(InputError) as refused:
        contrasts.check(expr, {"plain56": 0, "plain20": 0}, "f")
    assert message in str(refused.value)
