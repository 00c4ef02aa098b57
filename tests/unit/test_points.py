"""Names, ends and orders of points."""

import pytest

from rasen.errors import RasenError
from rasen.study.points import gradient_point, linear_point, parse_point, routes_of_model
from rasen.study.routes import routes_asked, table_of_points

ROUTES = {
    "linear": {"whole": [0, 0.25, 0.5, 0.75, 1], "near": [0.9, 0.95, 1, 0.75]},
    "gradient": {"positions": [0, 1]},
}


def test_ends_of_a_linear_route_are_the_endpoints():
    assert linear_point(0).name == "untrained"
    assert linear_point(1).name == "trained"
    assert linear_point(0, "zeros").name == "untrained+zeros"
    assert linear_point(1, "zeros").name == "trained"
    assert gradient_point(0).name == "gradient-0.000"
    assert gradient_point(1).name == "gradient-1.000"


@pytest.mark.parametrize(
    "name",
    ["untrained", "trained", "linear-0.900", "gradient-0.250", "step-000500", "step-1000000",
     "untrained+zeros", "linear+seed1-0.250", "gradient+zeros-0.250", "linear+eta1-0.500",
     "gradient+eta0.1000-0.250", "gradient+steps010-0.250", "gradient+eta1+eta10.0000-0.500",
     "gradient+zeros+eta0.1000+steps010-0.250"],
)  # fmt: skip
def test_names_come_back(name):
    assert parse_point(name).name == name


@pytest.mark.parametrize(
    "name",
    ["", "linear", "linear-0.9", "linear-1e3", "step-5", "trained-0.500", "trained+zeros",
     "untrained-0.100", "step+a-000001", "../trained", "gradient-000500", "step-0.100",
     "linear+eta0.1000-0.250", "trained+steps010", "gradient+eta0.1-0.250", "gradient+steps010"],
)  # fmt: skip
def test_other_names_are_refused(name):
    with pytest.raises(RasenError, match="not a point"):
        parse_point(name)


@pytest.mark.parametrize("alpha", [-0.1, 1.001, 0.1234])
def test_alphas_that_no_name_can_carry_are_refused(alpha):
    with pytest.raises(RasenError, match="at most three decimals"):
        linear_point(alpha)


def test_grids_are_united_and_shared_points_counted_once():
    table = routes_of_model("m", ROUTES)
    walk = table[table["route"] == "linear"]
    assert walk["position"].tolist() == [0, 0.25, 0.5, 0.75, 0.9, 0.95, 1]
    assert not table.duplicated(["route", "point"]).any()


def test_a_training_run_may_begin_and_end_at_the_endpoints():
    run = {"steps": [10, 1, 100], "untrained": 0, "trained": 400}
    table = routes_of_model("m", ROUTES, run).query("route == 'step'")
    assert table["point"].tolist() == [
        "untrained", "step-000001", "step-000010", "step-000100", "trained",
    ]  # fmt: skip
    assert table["position"].tolist() == [0, 1, 10, 100, 400]


def test_control_starts_walk_the_whole_route_to_the_same_end():
    table = routes_of_model("m", ROUTES, controls={"zeros": {}}).query("route == 'linear+zeros'")
    assert table["point"].tolist() == [
        "untrained+zeros", "linear+zeros-0.250", "linear+zeros-0.500", "linear+zeros-0.750",
        "trained",
    ]  # fmt: skip


def test_a_grid_of_steps_and_starts_makes_gradient_routes_that_keep_the_plain_ones_name():
    settings = {"positions": [0, 1], "eta": [1, 0.1], "steps": [1, 10]}
    table = routes_of_model("m", ROUTES | {"gradient": settings}, controls=["zeros"])
    routes = table.loc[table["route"].str.startswith("gradient"), "route"].unique().tolist()
    assert routes == [
        "gradient", "gradient+steps010", "gradient+eta0.1000", "gradient+eta0.1000+steps010",
    ]  # fmt: skip
    plain = table[table["route"] == "gradient"]
    assert plain.equals(
        routes_of_model("m", ROUTES, controls=["zeros"])
        .query("route == 'gradient'")
        .set_axis(plain.index)
    )
    more = routes_of_model("m", ROUTES | {"gradient": settings | {"controls": True}}, None, ["a"])
    points = more.loc[more["route"] == "gradient+a+steps010", "point"].tolist()
    assert points == ["gradient+a+steps010-0.000", "gradient+steps010-1.000"], "one trained end"
    parsed = [parse_point(name) for name in more["point"]]
    assert {(p.start, p.eta, p.steps) for p in parsed if p.kind == "gradient"} == {
        (start, eta, steps) for start in ("", "a") for eta in (None, 0.1) for steps in (None, 10)
    }


def test_an_eta_that_no_name_can_carry_is_refused():
    settings = {"positions": [0], "eta": [1, 0.00001], "steps": 1}
    with pytest.raises(RasenError, match=r"gradient.eta: 1e-05: give at most four decimals"):
        routes_of_model("m", ROUTES | {"gradient": settings})
    routes_of_model("m", ROUTES | {"gradient": settings | {"eta": 0.00001}})


def study_of(linear, gradient, controls=(), corrected=True):
    model = {
        "gradient": {"data": "music"} if corrected else None,
        "controls": dict.fromkeys(controls),
        "checkpoints": {"steps": [2, 1], "untrained": None, "trained": 2, "weights": "x{step}"},
    }
    whole = {"positions": [0, 1], "eta": 1, "steps": 1, "controls": False}
    routes = {"linear": linear, "gradient": whole | gradient}
    return {"models": {"b": model, "a": model}, "routes": routes}


@pytest.mark.parametrize("controls", [(), ("zeros",)])
@pytest.mark.parametrize("gradient", [{}, {"eta": [1, 0.1], "steps": [2, 3]}, {"controls": True}])
@pytest.mark.parametrize("corrected", [True, False])
def test_points_follow_from_what_is_asked(controls, gradient, corrected):
    given = study_of({"whole": [0, 1, 0.5], "near": [0.9]}, gradient, controls, corrected)
    assert table_of_points(routes_asked(given)).equals(table_of_points(given))


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (study_of({"whole": [0, 0.5, 1], "near": [0.5]}, {}), True),
        (study_of({"whole": [0, 0.5], "near": [1]}, {}), True),
        (study_of({"whole": [0, 0.5, 1], "near": [1]}, {"eta": 0.5, "steps": 3}), True),
        (study_of({"whole": [0, 0.5, 1], "near": [1]}, {"eta": [1, 0.5]}), False),
        (study_of({"whole": [0, 0.5, 1], "near": [0.9]}, {}), False),
        (study_of({"whole": [0, 0.5, 1], "near": [1]}, {}, corrected=False), False),
    ],
)
def test_equal_points_are_asked_for_alike(other, same):
    first = study_of({"whole": [0, 0.5, 1], "near": [1]}, {})
    assert (routes_asked(other) == routes_asked(first)) == same
    assert table_of_points(other).equals(table_of_points(first)) == same
